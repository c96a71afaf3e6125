/** INSERT with data, where writing is allowed: through the spool, never inline (the engine runs what follows an empty line). */
import type { EmbeddedClickHouse, RunOptions, RunResult } from '../engine/embedded.ts';
import { tokenize } from '../sql/lexer.ts';
import { quoteIdentifier } from '../sql/literal.ts';
import type { Insert } from '../sql/statement.ts';
import { exception } from './request.ts';

interface Column {
  name: string;
  type: string;
  default_type: string;
}

/** Columns that the data does not bring take their type's default. */
export async function insertData(
  engine: EmbeddedClickHouse,
  insert: Insert,
  data: readonly Uint8Array[],
  options: RunOptions,
): Promise<RunResult> {
  const described = await engine.run(`DESCRIBE TABLE ${insert.table}`, {
    ...options,
    settings: {},
    format: 'JSONEachRow',
  });
  const columns = Buffer.from(described.bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Column)
    .filter((column) => column.default_type !== 'MATERIALIZED' && column.default_type !== 'ALIAS');
  const names = insert.columns === null ? columns.map((column) => column.name) : listed(insert.columns);
  const structure = names.map((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined)
      throw exception(
        16,
        'NO_SUCH_COLUMN_IN_TABLE',
        `There is no column ${name} to insert into in table ${insert.table}`,
      );
    return `${quoteIdentifier(name)} ${column.type}`;
  });
  return await engine.insertFrom(insert.table, structure.join(', '), insert.format, data, options);
}

function listed(text: string): string[] {
  return (tokenize(text) ?? []).filter((token) => token.kind !== 'mark').map((token) => token.text);
}
