/** `enrich`: columns of a static table, by the value of a field. */
import { type FieldRef, fieldRef } from './field.ts';
import type { Item } from './item.ts';
import { choice, flag, group, isGroup, pairs, text, texts, wrong } from './reading.ts';
import { missOutcome, Outcome, type Step } from './step.ts';

/** Rows by their keys; values stand under `columns`. */
export interface Table {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface TableRequest {
  file: string;
  /** Of the configuration, for errors. */
  path: string;
}

/** Reads a table that a step names. @throws LogweirError CONFIG_INVALID */
export type ReadTable = (request: TableRequest) => Table;

/** @throws LogweirError CONFIG_INVALID */
export function enrichStep(raw: unknown, path: string, name: string, held: Set<string>, readTable: ReadTable): Step {
  const given = group(raw, path, ['table', 'field', 'key', 'add', 'ignoreCase', 'override', 'onMiss']);
  const field = fieldRef(text(given['field'], `${path}.field`), `${path}.field`);
  held.add(field.name);
  const table = readTable({ file: text(given['table'], `${path}.table`, 1024), path: `${path}.table` });
  const [first = ''] = table.columns;
  const key = given['key'] === undefined ? first : choice(given['key'], `${path}.key`, table.columns);
  const ignoreCase = flag(given['ignoreCase'], `${path}.ignoreCase`, false);
  const targets = targetsOf(given['add'], `${path}.add`, table, key);
  const keyColumn = table.columns.indexOf(key);
  const byKey = new Map<string, readonly string[]>();
  for (const row of table.rows) {
    const value = row[keyColumn] ?? '';
    const known = ignoreCase ? value.toLowerCase() : value;
    if (!byKey.has(known)) byKey.set(known, row);
  }
  const done = new Outcome('ok', name, 'enriched');
  const missed = missOutcome(given['onMiss'], `${path}.onMiss`, name, 'not in the table');
  const override = flag(given['override'], `${path}.override`, true);
  return {
    outcomes: [done, missed],
    run(item: Item): Outcome {
      const value = field.get(item);
      const row = value === undefined ? undefined : byKey.get(ignoreCase ? value.toLowerCase() : value);
      if (row === undefined) return missed;
      for (const { column, to } of targets) {
        const found = row[column] ?? '';
        if (found !== '' && (override || to.get(item) === undefined)) to.set(item, found);
      }
      return done;
    },
  };
}

/** All other columns by their names, those listed, or `column: field`. */
function targetsOf(raw: unknown, path: string, table: Table, key: string): { column: number; to: FieldRef }[] {
  const column = (name: string, at: string): number => {
    const found = table.columns.indexOf(name);
    if (found < 0)
      throw wrong(
        at,
        `names the column "${name}", which the table does not have`,
        `Its columns are ${table.columns.join(', ')}.`,
      );
    return found;
  };
  if (raw === undefined)
    return table.columns.flatMap((name, i) => (name === key ? [] : [{ column: i, to: fieldRef(name, path) }]));
  if (isGroup(raw))
    return pairs(raw, path).map(([from, to, at]) => ({ column: column(from, at), to: fieldRef(to, at) }));
  return texts(raw, path).map((name, i) => ({
    column: column(name, `${path}[${i}]`),
    to: fieldRef(name, `${path}[${i}]`),
  }));
}
