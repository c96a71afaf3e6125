/** What people did with corrections, as it is stored. */
import type { CorrectableSeverity, CorrectionAct } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { millis, rowsOf, Where } from './ask.ts';

export interface ActFilter {
  /** Of one correction. */
  id?: string | undefined;
  limit?: number | undefined;
}

/** Of every correction its last act, or the last acts of all, newest first. */
export async function correctionActs(
  clickHouse: ClickHouse,
  filter: ActFilter | 'last of each',
): Promise<CorrectionAct[]> {
  const { id, limit = 100_000 } = filter === 'last of each' ? {} : filter;
  const where = new Where().given(id, (name) => `CorrectionId = {${name}:String}`, 'id');
  const rows = await rowsOf<Record<string, string> & { version: number; atMs: number }>(
    clickHouse,
    `SELECT toString(Act) AS kind, Version AS version, ${millis('At')} AS atMs, DoneBy AS by, Why AS why, CorrectionId AS id,
       ServiceName AS service, Text AS text, TemplateId AS templateId, toString(SeverityText) AS severity, toString(Category) AS category
     FROM logweir.corrections FINAL WHERE ${where.sql} ORDER BY At DESC, Version DESC, CorrectionId
     ${filter === 'last of each' ? 'LIMIT 1 BY CorrectionId' : ''} LIMIT {limit:UInt32}`,
    { ...where.params, limit },
  );
  return rows.map(({ kind, version, atMs, by = '', why = '', id: correctionId = '', severity, ...rest }) => ({
    kind: kind === 'removed' ? 'removed' : 'set',
    version,
    atMs,
    by,
    why,
    correction: {
      id: correctionId,
      service: rest['service'] ?? '',
      text: rest['text'] ?? '',
      templateId: rest['templateId'] ?? '',
      severity: severity as CorrectableSeverity | '',
      category: rest['category'] ?? '',
      by,
      atMs,
      ...(why === '' ? {} : { why }),
    },
  }));
}
