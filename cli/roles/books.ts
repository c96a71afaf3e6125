/**
 * Asks ClickHouse for sums over everything that is stored, for whoever can wait: in pieces, so that no question takes
 * long however much there is, and each again while the server is busy or starting.
 */
import { sleep, systemTime, type Time } from '#bus/mod.ts';
import { LogweirError } from '#protocol/mod.ts';

/** What of a client for ClickHouse is used here. */
export interface Asked {
  query(sql: string, options: { format: string }): Promise<Uint8Array>;
}

export interface Day {
  /** As ClickHouse writes it: `2026-01-31`. */
  day: string;
  rows: number;
}

/** Days of `otel_logs`, both included: `otel_logs` has one partition a day. */
export interface Piece {
  from: string;
  to: string;
}

/** So much goes into one question: seconds of work. */
const pieceMax = { rows: 20_000_000, days: 500 };

const againAfterMs = 500;
/** A server that has not answered for this long is away, ms; one that starts reads its parts first. */
const patienceMs = 120_000;

export class Books {
  private readonly clickHouse: Asked;
  private readonly time: Time;

  constructor(clickHouse: Asked, time = systemTime) {
    this.clickHouse = clickHouse;
    this.time = time;
  }

  /** Numbers and words of each row. @throws LogweirError */
  async rows(sql: string): Promise<string[][]> {
    const text = Buffer.from(await this.ask(sql)).toString();
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => line.split('\t'));
  }

  /** Where a question about all of `otel_logs` is to be cut. */
  async pieces(): Promise<Piece[]> {
    // Answered from what ClickHouse knows of its parts.
    const found = await this.rows(
      'SELECT toDate(TimestampTime) AS day, count() FROM logweir.otel_logs GROUP BY day ORDER BY day',
    );
    return piecesOf(found.map(([day = '', rows]) => ({ day, rows: Number(rows) })));
  }

  private async ask(sql: string): Promise<Uint8Array> {
    const { time } = this;
    const startedMs = time.now();
    for (;;) {
      try {
        return await this.clickHouse.query(sql, { format: 'TabSeparated' });
      } catch (error) {
        if (!(error instanceof LogweirError && error.retry) || time.now() - startedMs >= patienceMs) throw error;
        await sleep(time, againAfterMs);
      }
    }
  }
}

/** Pure. `days` are in order. */
export function piecesOf(days: readonly Day[], max = pieceMax): Piece[] {
  const pieces: Piece[] = [];
  let rows = 0;
  let count = 0;
  for (const { day, rows: more } of days) {
    const last = pieces.at(-1);
    if (last === undefined || rows + more > max.rows || count === max.days) {
      pieces.push({ from: day, to: day });
      rows = more;
      count = 1;
    } else {
      last.to = day;
      rows += more;
      count++;
    }
  }
  return pieces;
}

/** For a WHERE clause over `otel_logs`. */
export function within({ from, to }: Piece): string {
  return `toDate(TimestampTime) BETWEEN '${from}' AND '${to}'`;
}
