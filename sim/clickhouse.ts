/**
 * The simulated ClickHouse: tables with insert deduplication over a limited window, a view behind the log table with a
 * window of its own, inserts that fail, answer late or not at all, or are cut off half way. As in ClickHouse an insert
 * is all or nothing per partition (a day of logs) and table, and no more.
 */
import type { ClickHouse } from '#storage/mod.ts';
import { type Row, readBlock } from './native.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

const nsPerDay = 86_400_000_000_000n;
const logTable = 'logweir.otel_logs';

interface Table {
  rows: Row[];
  /** Blocks whose rows nobody has asked for. */
  unread: Buffer[];
  /** Tokens of parts, oldest first. */
  tokens: Set<string>;
}

export interface ClickHouseWeather {
  /** An insert fails and nothing of it is in. */
  failed: number;
  /** An insert stops half way, or is in and its answer is not. */
  unknown: number;
}

export class ClickHouseServer {
  /** Answers nobody until then. */
  awayUntilMs = 0;
  weather: ClickHouseWeather = { failed: 0, unknown: 0 };
  /** Rows by service in the view behind the log table. */
  readonly view = new Map<string, number>();
  /** Inserts that a server works on, whether or not their sender lives. */
  inserting = 0;
  private readonly tables = new Map<string, Table>();
  private readonly viewTokens = new Set<string>();
  private readonly world: World;
  private readonly window: number;

  /** @param window tokens remembered per table; 0 = deduplication is off */
  constructor(world: World, window: number) {
    this.world = world;
    this.window = window;
  }

  rows(table: string): readonly Row[] {
    const known = this.tables.get(`logweir.${table}`);
    if (known === undefined) return [];
    for (const block of known.unread.splice(0)) for (const row of readBlock(block)) known.rows.push(row);
    return known.rows;
  }

  /** The port, for one process. Embedded, the engine dies with it; a server goes on with what it was sent. */
  open(process: Process, embedded: boolean): ClickHouse {
    const none = (): never => {
      throw new Error('The simulated ClickHouse takes inserts only.');
    };
    return {
      command: async () => none(),
      query: async () => none(),
      stream: () => none(),
      close: async () => {},
      insertNative: (table, _columns, chunks, token) => this.insert(process, embedded, table, [...chunks], token),
    };
  }

  /** A question and its answer. */
  answer<T>(process: Process, work: () => T): Promise<T> {
    const { world } = this;
    return new Promise((resolve, reject) => {
      world.after(1 + world.random.below(16), () =>
        process.enter(() => {
          try {
            if (world.nowMs < this.awayUntilMs) throw new Error('ClickHouse is away.');
            resolve(work());
          } catch (error) {
            reject(error);
          }
        }),
      );
    });
  }

  /** Adds to the view what it lacks of the keys of some rows. */
  completeView(rows: readonly Row[]): void {
    for (const service of new Set(rows.map((row) => row['ServiceName'] as string)))
      this.view.set(service, this.rows('otel_logs').filter((row) => row['ServiceName'] === service).length);
  }

  private insert(
    process: Process,
    embedded: boolean,
    table: string,
    chunks: readonly Uint8Array[],
    token: string,
  ): Promise<void> {
    const { world } = this;
    return new Promise((resolve, reject) => {
      const answer = (run: () => void): void => {
        world.after(0.5 + world.random.below(16), () => process.enter(run));
      };
      const fail = (why: string): void => answer(() => reject(new Error(why)));
      if (world.nowMs < this.awayUntilMs) return fail('ClickHouse is away.');
      const roll = world.random.next();
      if (roll < this.weather.failed) return fail('ClickHouse had no memory left.');
      const steps = this.steps(table, chunks, token);
      const broken = roll < this.weather.failed + this.weather.unknown;
      const done = broken ? world.random.below(steps.length + 1) : steps.length;
      if (!embedded) this.inserting++;
      const next = (index: number): void => {
        if (index === done) {
          if (!embedded) this.inserting--;
          if (broken) fail('The connection to ClickHouse broke.');
          else answer(resolve);
          return;
        }
        const go = (): void => {
          (steps[index] as () => void)();
          next(index + 1);
        };
        world.after(1 + world.random.below(30), () => (embedded ? process.enter(go) : go()));
      };
      next(0);
    });
  }

  /** What an insert does, in order: each partition into the table, then the same into the view. */
  private steps(table: string, chunks: readonly Uint8Array[], token: string): (() => void)[] {
    const block = Buffer.concat(chunks);
    if (table !== logTable) return [() => this.store(table, block, `${token}/`)];
    const parts = new Map<string, Row[]>();
    for (const row of readBlock(block)) {
      const day = String(BigInt(row['Timestamp'] as string) / nsPerDay);
      const part = parts.get(day);
      if (part === undefined) parts.set(day, [row]);
      else part.push(row);
    }
    const steps: (() => void)[] = [];
    for (const [day, part] of parts) {
      const key = `${token}/${day}`;
      steps.push(() => this.store(table, part, key));
      steps.push(() => this.storeInView(part, key));
    }
    return steps;
  }

  private store(name: string, given: readonly Row[] | Buffer, key: string): void {
    const table = this.tables.get(name) ?? { rows: [], unread: [], tokens: new Set<string>() };
    this.tables.set(name, table);
    if (!this.isNew(table.tokens, key)) {
      this.world.note('clickhouse', 'has already', key);
      return;
    }
    this.world.note('clickhouse', name, given.length);
    if (Buffer.isBuffer(given)) table.unread.push(given);
    else for (const row of given) table.rows.push(row);
  }

  private storeInView(rows: readonly Row[], key: string): void {
    if (!this.isNew(this.viewTokens, key)) return;
    for (const row of rows) {
      const service = row['ServiceName'] as string;
      this.view.set(service, (this.view.get(service) ?? 0) + 1);
    }
  }

  private isNew(tokens: Set<string>, key: string): boolean {
    if (tokens.has(key)) return false;
    tokens.add(key);
    if (tokens.size > this.window) tokens.delete(tokens.values().next().value as string);
    return true;
  }
}
