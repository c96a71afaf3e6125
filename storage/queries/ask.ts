/** Asking for rows: values are always bound, never part of the text; only fixed fragments are put together. */
import type { ClickHouse } from '../engine/port.ts';
import type { TimeRange } from './types.ts';

export type Params = Record<string, unknown>;

/** Numbers come as numbers: counts and ms stay under 2^53; nanoseconds are asked for as text. */
const settings = { output_format_json_quote_64bit_integers: 0, output_format_json_quote_denormals: 1 };

export async function rowsOf<T>(clickHouse: ClickHouse, sql: string, params: Params = {}): Promise<T[]> {
  const bytes = await clickHouse.query(sql, { format: 'JSONEachRow', params, settings });
  const rows: T[] = [];
  for (const line of Buffer.from(bytes).toString().split('\n')) if (line !== '') rows.push(JSON.parse(line) as T);
  return rows;
}

/** Conditions and their parameters, together. */
export class Where {
  readonly params: Params = {};
  private readonly conditions: string[] = [];

  add(condition: string, params: Params = {}): this {
    this.conditions.push(condition);
    Object.assign(this.params, params);
    return this;
  }

  /** Adds the condition where there is a value for it. */
  given(value: string | number | undefined, condition: (name: string) => string, name: string): this {
    return value === undefined || value === '' ? this : this.add(condition(name), { [name]: value });
  }

  get sql(): string {
    return this.conditions.length === 0 ? '1' : this.conditions.join(' AND ');
  }
}

/** Minutes or hours of a rollup that start within the range. */
export function rollupRange(range: TimeRange): Where {
  return new Where().add(
    'Time >= toDateTime(toStartOfMinute(fromUnixTimestamp64Milli({fromMs:Int64}))) AND Time < fromUnixTimestamp64Milli({toMs:Int64})',
    {
      fromMs: range.fromMs,
      toMs: range.toMs,
    },
  );
}

export const millis = (column: string): string => `toUnixTimestamp64Milli(${column})`;

/** `after` is no position that these queries made. */
export class CursorError extends Error {
  readonly code = 'CURSOR_INVALID';

  constructor() {
    super("'after' is no position in this list; pass the 'next' of the page before.");
    this.name = 'CursorError';
  }
}

/** Parts of a cursor, joined by `~`; text that could hold anything is hex. */
export function writeCursor(...parts: (string | number)[]): string {
  return parts
    .map((part) => (typeof part === 'number' ? String(part) : `x${Buffer.from(part).toString('hex')}`))
    .join('~');
}

/** @throws CursorError */
export function readCursor(cursor: string, kinds: readonly ('number' | 'text')[]): (string | number)[] {
  const parts = cursor.split('~');
  if (parts.length !== kinds.length) throw new CursorError();
  return parts.map((part, index) => {
    if (kinds[index] === 'text') {
      if (!/^x([0-9a-f]{2})*$/.test(part)) throw new CursorError();
      return Buffer.from(part.slice(1), 'hex').toString();
    }
    if (!/^-?\d{1,16}(\.\d+)?$/.test(part)) throw new CursorError();
    return Number(part);
  });
}
