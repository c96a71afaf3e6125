import { describe, expect, it } from 'vitest';
import { type ExportTable, exportQuery, exportTables } from './export-query.ts';

const table = (name: string): ExportTable => exportTables[name] as ExportTable;
const everything = { fromMs: undefined, toMs: undefined, services: [] };

describe('the query of an export', () => {
  it('takes whole tables in a fixed order', () => {
    expect(exportQuery(table('templates'), everything, true)).toMatchObject({
      sql: 'SELECT * FROM logweir.templates AS t ORDER BY Count DESC, TemplateId',
      params: {},
    });
  });

  it('writes structured columns as JSON text only where the format is flat', () => {
    expect(exportQuery(table('windows'), everything, true).sql).toContain(
      '* REPLACE (toJSONString(Rolling) AS Rolling)',
    );
    expect(exportQuery(table('windows'), everything, false).sql).toContain('SELECT * FROM');
  });

  it('passes values as parameters', () => {
    const services = ["o'brien", 'b'];
    expect(exportQuery(table('logs'), { fromMs: 1, toMs: 2, services }, false)).toMatchObject({
      sql: 'SELECT * FROM logweir.otel_logs AS t WHERE Timestamp >= fromUnixTimestamp64Milli({fromMs:Int64}) AND Timestamp < fromUnixTimestamp64Milli({toMs:Int64}) AND ServiceName IN {services:Array(String)} ORDER BY ServiceName, TimestampTime, Timestamp',
      params: { fromMs: 1, toMs: 2, services },
    });
    expect(exportQuery(table('incidents'), { ...everything, services }, true).sql).toContain('hasAny(t.Services, ');
  });
});
