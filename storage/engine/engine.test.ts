import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClickHouseServer, serveClickHouse } from '../http/server.ts';
import { database, migrate, schemaVersion } from '../schema.ts';
import { openTempEngine, type TempEngine, textOf } from '../testing/temp.ts';
import { EmbeddedClickHouse } from './embedded.ts';
import { HttpClickHouse } from './http.ts';
import type { ClickHouse } from './port.ts';

let temp: TempEngine;
let server: ClickHouseServer;
beforeAll(async () => {
  temp = await openTempEngine();
  server = await serveClickHouse({ engine: temp.engine, port: 0, writable: true, database: 'default' });
});
afterAll(async () => {
  await server.close();
  await temp.end();
});

/** A Native block of one UInt32 column `a` and one String column `s`. */
function nativeBlock(rows: { a: number; s: string }[]): Uint8Array[] {
  const numbers = Buffer.alloc(rows.length * 4);
  rows.forEach((row, index) => numbers.writeUInt32LE(row.a, index * 4));
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)]);
  return [
    Buffer.from([2, rows.length]),
    Buffer.concat([text('a'), text('UInt32'), numbers]),
    Buffer.concat([text('s'), text('String'), ...rows.map((row) => text(row.s))]),
  ];
}

const adapters: [string, () => ClickHouse][] = [
  ['embedded', () => temp.engine],
  ['http', () => new HttpClickHouse({ url: `${server.url}/default` })],
];

describe.each(adapters)('%s adapter', (name, open) => {
  let clickHouse: ClickHouse;
  const table = `default.t_${name}`;
  beforeAll(async () => {
    clickHouse = open();
    await clickHouse.command(
      `CREATE TABLE ${table} (a UInt32, s String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100`,
    );
    await clickHouse.command(
      `CREATE TABLE ${table}_sums (total UInt64) ENGINE = MergeTree ORDER BY total SETTINGS non_replicated_deduplication_window = 100`,
    );
    await clickHouse.command(
      `CREATE MATERIALIZED VIEW ${table}_view TO ${table}_sums AS SELECT count() AS total FROM ${table}`,
    );
  });

  it('binds parameters and applies settings, and neither outlives the query', async () => {
    const params = { text: "it's \\ \n\t", list: ["q'", 'b\\', '\n'], none: null, at: new Date(1_700_000_000_123) };
    const sql =
      'SELECT {text:String} AS text, {list:Array(String)} AS list, {none:Nullable(String)} AS none, {at:DateTime64(3)} AS at';
    const row = JSON.parse(textOf(await clickHouse.query(sql, { params })));
    expect(row).toEqual({ ...params, at: '2023-11-14 22:13:20.123' });
    const threads = async (settings?: Record<string, number>): Promise<string> =>
      textOf(
        await clickHouse.query("SELECT getSetting('max_threads')", {
          format: 'TSV',
          ...(settings === undefined ? {} : { settings }),
        }),
      );
    expect(await threads({ max_threads: 1 })).toBe('1\n');
    expect(await threads()).not.toBe('');
    await expect(clickHouse.query('SELECT {text:String}')).rejects.toMatchObject({
      code: 'QUERY_FAILED',
      exceptionCode: 456,
    });
  });

  it('inserts a block once per token, through views as well, whatever bytes it holds', async () => {
    const rows = [
      { a: 1, s: '\n\n; DROP TABLE x;\n\n' },
      { a: 2, s: '' },
      { a: 3, s: "ü ' \\ \0" },
    ];
    const structure = 'a UInt32, s String';
    await clickHouse.insertNative(table, structure, nativeBlock(rows), 'token-1');
    await clickHouse.insertNative(table, structure, nativeBlock(rows), 'token-1');
    const stored = textOf(await clickHouse.query(`SELECT a, s FROM ${table} ORDER BY a`));
    expect(
      stored
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(rows);
    await clickHouse.insertNative(table, structure, nativeBlock(rows), 'token-2');
    expect(textOf(await clickHouse.query(`SELECT count() FROM ${table}`, { format: 'TSV' }))).toBe('6\n');
    expect(textOf(await clickHouse.query(`SELECT sum(total) FROM ${table}_sums`, { format: 'TSV' }))).toBe('6\n');
  });

  it('streams, and stops when the reader does', async () => {
    let bytes = 0;
    for await (const chunk of clickHouse.stream('SELECT number FROM numbers(300000)', { format: 'RowBinary' }))
      bytes += chunk.length;
    expect(bytes).toBe(2_400_000);
    for await (const chunk of clickHouse.stream('SELECT number FROM numbers(1e12)', { format: 'RowBinary' })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
  });

  it('fails with ClickHouse’s code and a remedy, before and within a stream', async () => {
    await expect(clickHouse.query('SELEC')).rejects.toMatchObject({ code: 'QUERY_FAILED', exceptionCode: 62 });
    await expect(clickHouse.command('DROP TABLE default.nothing')).rejects.toMatchObject({ exceptionCode: 60 });
    await expect(
      clickHouse.query('SELECT sleepEachRow(0.1) FROM numbers(100)', {
        settings: { max_execution_time: 1, max_block_size: 1 },
      }),
    ).rejects.toMatchObject({ code: 'TIMEOUT' });
    const read = async (): Promise<void> => {
      for await (const _ of clickHouse.stream('SELECT throwIf(number = 3000000) FROM numbers(10000000)', {
        format: 'TSV',
      }))
        void _;
    };
    await expect(read()).rejects.toMatchObject({ code: 'QUERY_FAILED', exceptionCode: 395 });
  });
});

describe('http adapter', () => {
  it('says where nothing answers', async () => {
    const nobody = new HttpClickHouse({ url: 'http://127.0.0.1:9' });
    expect(await nobody.ping()).toBe(false);
    await expect(nobody.query('SELECT 1')).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE', retry: true });
    expect(await new HttpClickHouse({ url: server.url }).ping()).toBe(true);
  });
});

describe('embedded engine', () => {
  it('stays within the memory it is given', async () => {
    const sql =
      "SELECT name, toUInt64(value) FROM system.server_settings WHERE name IN ('mark_cache_size', 'max_server_memory_usage') ORDER BY name";
    const values = textOf(await temp.engine.query(sql, { format: 'TSV' }));
    expect(values).toBe(
      `mark_cache_size\t${256 * 1024 ** 2}\nmax_server_memory_usage\t${Math.floor(totalmem() / 2)}\n`,
    );
  });

  it('owns its directory', () => {
    const open = (): unknown => EmbeddedClickHouse.open({ directory: temp.directory });
    expect(open).toThrow(expect.objectContaining({ code: 'DATA_DIR_IN_USE' }));
  });

  it('takes over from a process that died, in a directory of another process', () => {
    const other = join(temp.directory, 'other');
    const script = `
      import { mkdirSync, writeFileSync } from 'node:fs';
      import { EmbeddedClickHouse } from '${join(import.meta.dirname, 'embedded.ts')}';
      mkdirSync('${other}', { recursive: true });
      writeFileSync('${other}/logweir.lock', JSON.stringify({ pid: process.pid, started: 'long ago' }));
      const engine = EmbeddedClickHouse.open({ directory: '${other}' });
      console.log(Buffer.from(await engine.query('SELECT 1', { format: 'TSV' })).toString().trim());
      await engine.close();`;
    const child = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' });
    expect([child.stdout, child.status]).toEqual(['1\n', 0]);
    expect(readdirSync(other)).not.toContain('logweir.lock');
  });

  vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

  it('says which directory cannot be used', () => {
    const file = join(temp.directory, 'a-file');
    writeFileSync(file, '');
    expect(() => EmbeddedClickHouse.open({ directory: join(file, 'x') })).toThrow(
      expect.objectContaining({ code: 'DATA_DIR_UNUSABLE' }),
    );
  });
});

describe('schema', () => {
  it('is set up once and upgraded in place', async () => {
    await migrate(temp.engine);
    await migrate(temp.engine, { logsDays: 7, findingsDays: 8, rollupsDays: 9 });
    const query = async (sql: string): Promise<string> => textOf(await temp.engine.query(sql, { format: 'TSV' }));
    expect(await query(`SELECT max(Version) FROM ${database}.schema_version`)).toBe(`${schemaVersion}\n`);
    expect(
      await query(
        `SELECT create_table_query LIKE '%TTL toDateTime(ObservedTimestamp) + toIntervalDay(7) SETTINGS%' FROM system.tables WHERE name = 'otel_logs'`,
      ),
    ).toBe('1\n');
    await migrate(temp.engine);
  });

  it('begins otel_logs as the OpenTelemetry exporter does', async () => {
    const columns = textOf(
      await temp.engine.query(`SELECT name FROM system.columns WHERE table = 'otel_logs' ORDER BY position`, {
        format: 'TSV',
      }),
    );
    expect(columns.trimEnd().split('\n')).toEqual(
      [
        'Timestamp TimestampTime TraceId SpanId TraceFlags SeverityText SeverityNumber ServiceName Body',
        'ResourceSchemaUrl ResourceAttributes ScopeSchemaUrl ScopeName ScopeVersion ScopeAttributes',
        'LogAttributes TemplateId Category PredictedSeverityText PredictedSeverityNumber Confidence',
        'ObservedTimestamp Lane Generation Partition Sequence',
      ].flatMap((line) => line.split(' ')),
    );
  });

  it('shows the last version of a row only', async () => {
    const insert = (version: number, count: number): Promise<void> =>
      temp.engine.command(
        `INSERT INTO ${database}.windows_versions (ServiceName, Lane, WindowStart, LogCount, Version, VersionRank) SELECT 's', 'live', 0, ${count}, ${version}, ${version}`,
      );
    await insert(5, 10);
    await insert(9, 12);
    await insert(7, 11);
    expect(
      textOf(await temp.engine.query(`SELECT sum(LogCount), max(Version) FROM ${database}.windows`, { format: 'TSV' })),
    ).toBe('12\t9\n');
  });
});
