/** Runs one record through steps, for tests. */
import type { LogRecord } from '#protocol/mod.ts';
import type { RawLines } from '#analysis/formats/mod.ts';
import type { Table } from './enrich-step.ts';
import { Item, type Origin } from './item.ts';
import { compilePipeline, type Pipeline } from './pipeline.ts';
import type { Outcome } from './step.ts';

export const now = Date.UTC(2026, 4, 3, 12);

export function compiled(section: unknown, tables: Record<string, Table> = {}): Pipeline {
  const pipeline = compilePipeline(section, 'pipeline', {
    mac: (key, text) => Buffer.from(`${key.length}${text}`).toString('hex').padEnd(16, '0'),
    readTable: ({ file }) => tables[file] as Table,
  });
  if (pipeline === null) throw new Error('the section is empty');
  return pipeline;
}

export interface Ran {
  outcome: Outcome;
  record: LogRecord;
  fields: Record<string, string>;
}

export function run(
  pipeline: Pipeline,
  record: Partial<LogRecord>,
  origin: Partial<Origin> = {},
  raw: Partial<RawLines> | null = null,
): Ran {
  const item = new Item();
  item.loadRecord(
    { body: '', severityNumber: 0, severityText: '', service: 'till', timeMs: now, ...record },
    { receiver: 'ingest', file: '', nowMs: now, serviceGiven: false, ...origin },
    raw === null ? null : { head: '', tail: '', serviceElse: '', serviceGiven: false, ...raw },
  );
  const outcome = pipeline.run(item);
  const out = item.toRecord();
  const pairs = out.attributes ?? [];
  const fields: Record<string, string> = {};
  for (let i = 0; i < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
  return { outcome, record: out, fields };
}

/** Steps of a list, one record. */
export const steps = (list: unknown[], record: Partial<LogRecord>, origin: Partial<Origin> = {}): Ran =>
  run(compiled({ steps: list }), record, origin);

/** A line as a file would give it. */
export const line = (list: unknown[], head: string, tail = '', origin: Partial<Origin> = {}): Ran =>
  run(compiled({ steps: list }), { body: tail === '' ? head : `${head}\n${tail}` }, origin, { head, tail });
