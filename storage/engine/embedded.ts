/**
 * ClickHouse within this process, by the `chdb` package. Every query that carries settings, parameters or limits of
 * its own runs on a connection of its own, or on one that is set up the same, since SET lasts as long as a
 * connection does and chdb's own parameter binding is one queue for the whole process.
 *
 * Native work runs on libuv's threads: set UV_THREADPOOL_SIZE above the number of queries that may run at once.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type * as chdbTypes from 'chdb';
import { LogweirError } from '#protocol/errors.ts';
import { columnNames, paramText, quote, quoteIdentifier } from '../sql/literal.ts';
import { clickHouseError } from './error.ts';
import { lockDirectory } from './lock.ts';
import { type ClickHouse, insertSettings, type QueryOptions, type Settings } from './port.ts';
import { SessionPool } from './sessions.ts';
import { Spool } from './spool.ts';

export interface EmbeddedOptions {
  /** Where the engine keeps its tables. Made if missing; one process owns it. */
  directory: string;
  /** Where blocks pass through memory, default /dev/shm. */
  memoryDirectory?: string;
  /** Memory that all of the engine may take, in bytes, default half of the machine's. */
  memoryBytesMax?: number;
}

export interface RunOptions extends QueryOptions {
  /** Database of unqualified names, default `default`. */
  database?: string | undefined;
  /** Parameters that are text already, as `param_x` of the HTTP interface carries them. */
  paramTexts?: Readonly<Record<string, string>> | undefined;
  /** The engine itself refuses writes, table functions that reach outside, and further settings. */
  readOnly?: boolean | undefined;
  /** The statement may leave something on its connection (a temporary table): nobody else gets it. */
  isolated?: boolean | undefined;
}

export interface RunResult {
  bytes: Uint8Array;
  rowsRead: number;
  bytesRead: number;
  elapsedSeconds: number;
}

/** How long closing waits for queries that still run, in ms. */
const drainMsMax = 5_000;

type Chdb = Pick<typeof chdbTypes, 'Session' | 'drainPending'>;
let loaded: Chdb | undefined;

/** Loads libchdb (0.1 s, 1 s when cold) on first use, so that who only talks HTTP never does. */
function load(): Chdb {
  // DateTime columns and day partitions take the process's zone; UTC on every machine.
  process.env['TZ'] = 'UTC';
  loaded ??= createRequire(import.meta.url)('chdb') as Chdb;
  return loaded;
}

/** Bytes of each cache: ClickHouse's defaults of 5 GiB are a server's. */
const cacheBytesMax = 256 * 1024 ** 2;

/** The engine's own configuration; it is read when the process opens its first connection. */
function writeConfig(directory: string, options: EmbeddedOptions): string {
  const file = join(directory, 'logweir-engine.xml');
  const memory = options.memoryBytesMax ?? Math.floor(totalmem() / 2);
  const config = `<clickhouse>
  <max_server_memory_usage>${memory}</max_server_memory_usage>
  <mark_cache_size>${cacheBytesMax}</mark_cache_size>
  <index_mark_cache_size>${cacheBytesMax}</index_mark_cache_size>
</clickhouse>
`;
  writeFileSync(file, config, { mode: 0o600 });
  return file;
}

export class EmbeddedClickHouse implements ClickHouse {
  readonly directory: string;
  private readonly chdb: Chdb;
  private readonly main: chdbTypes.Session;
  private readonly spool: Spool;
  private readonly unlock: () => void;
  private readonly sessions: SessionPool;
  private closed = false;

  private constructor(directory: string, chdb: Chdb, main: chdbTypes.Session, spool: Spool, unlock: () => void) {
    this.directory = directory;
    this.chdb = chdb;
    this.main = main;
    this.spool = spool;
    this.unlock = unlock;
    this.sessions = new SessionPool(() => new chdb.Session(directory));
  }

  /** @throws LogweirError DATA_DIR_IN_USE | DATA_DIR_UNUSABLE */
  static open(options: EmbeddedOptions): EmbeddedClickHouse {
    const directory = resolve(options.directory);
    let unlock: (() => void) | undefined;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      unlock = lockDirectory(join(directory, 'logweir.lock'), directory);
      const chdb = load();
      const main = new chdb.Session(directory, {
        connectionArgs: [`--config-file=${writeConfig(directory, options)}`],
      });
      return new EmbeddedClickHouse(directory, chdb, main, Spool.create(directory, options.memoryDirectory), unlock);
    } catch (cause) {
      unlock?.();
      if (cause instanceof LogweirError) throw cause;
      throw new LogweirError(
        'DATA_DIR_UNUSABLE',
        `The data directory ${directory} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
        'Choose a directory that this user may write, with --data.',
        { cause },
      );
    }
  }

  async command(sql: string, settings?: Settings): Promise<void> {
    if (settings !== undefined) return void (await this.run(sql, { settings }));
    await settled(this.main.queryAsync(sql, { format: 'Null' }));
  }

  async query(sql: string, options: QueryOptions = {}): Promise<Uint8Array> {
    return (await this.run(sql, options)).bytes;
  }

  /** As `query`, with the engine's account of what it read. */
  async run(sql: string, options: RunOptions = {}): Promise<RunResult> {
    const { session, release } = await this.prepare(options);
    try {
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      const result = await settled(session.queryAsync(sql, { format: options.format ?? 'JSONEachRow', ...signal }));
      return {
        bytes: result.bytes(),
        rowsRead: result.rowsRead,
        bytesRead: result.bytesRead,
        elapsedSeconds: result.elapsed,
      };
    } finally {
      // An aborted query runs on for a while: nobody else may have its connection.
      release(options.signal?.aborted !== true);
    }
  }

  /** Each chunk is a whole document of the format: right as it is for formats without header and footer. */
  async *stream(sql: string, options: RunOptions = {}): AsyncGenerator<Uint8Array> {
    const { session, release } = await this.prepare(options);
    let finished = false;
    try {
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      for await (const chunk of session.queryStream(sql, { format: options.format ?? 'JSONEachRow', ...signal })) {
        if (chunk.numBytes > 0) yield chunk.raw();
      }
      finished = true;
    } catch (error) {
      throw asError(error);
    } finally {
      release(finished);
    }
  }

  async insertNative(table: string, columns: string, chunks: readonly Uint8Array[], token: string): Promise<void> {
    await this.insertFrom(table, columns, 'Native', chunks, { settings: insertSettings }, token);
  }

  /** Inserts data of any input format by way of the spool. `columns` is trusted text: `name Type, …`. */
  async insertFrom(
    table: string,
    columns: string,
    format: string,
    chunks: readonly Uint8Array[],
    options: RunOptions,
    token?: string,
  ): Promise<RunResult> {
    return await this.spool.with(chunks, (path) => {
      const source = `file(${quote(path)}, ${quote(format)}, ${quote(columns)})`;
      const clause = token === undefined ? '' : `SETTINGS insert_deduplication_token = ${quote(token)}`;
      return this.run(`INSERT INTO ${table} (${columnNames(columns)}) ${clause} SELECT * FROM ${source}`, options);
    });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const drained = await this.drained();
    this.sessions.closeAll();
    this.main.close();
    this.spool.remove();
    // A query that nothing can stop still runs: the lock stays ours until this process ends.
    if (drained && (await this.drained())) this.unlock();
  }

  /** Waits for native calls, for a while. False where one still runs. */
  private async drained(): Promise<boolean> {
    const late = Symbol('late');
    const timer = new AbortController();
    const first = await Promise.race([
      this.chdb.drainPending(),
      setTimeout(drainMsMax, late, { signal: timer.signal }),
    ]);
    timer.abort();
    return first !== late;
  }

  /** A connection with these settings and parameters, and what gives it back (or closes it: not reusable). */
  private async prepare(
    options: RunOptions,
  ): Promise<{ session: chdbTypes.Session; release: (reusable: boolean) => void }> {
    if (this.closed) throw clickHouseError('The embedded engine is closed.');
    const texts = { ...options.paramTexts };
    for (const [name, value] of Object.entries(options.params ?? {})) texts[name] = paramText(value);
    const lasting = [
      // As a server has it: `SELEC` is a typing error, not the name of a column.
      'implicit_select = 0',
      ...Object.entries(options.settings ?? {}).map(([name, value]) => `${name} = ${literal(value)}`),
      // Last: from here on no setting can be changed, this one included.
      ...(options.readOnly === true ? ['readonly = 1'] : []),
    ].join(', ');
    // With the same names of parameters, so that none of an earlier query is left over.
    const key = [options.database ?? '', lasting, ...Object.keys(texts).sort()].join('\0');
    const { session, fresh } = this.sessions.acquire(key);
    const release = (reusable: boolean): void => {
      if (reusable && options.isolated !== true && !this.closed) this.sessions.release(key, session);
      else session.close();
    };
    try {
      if (fresh) {
        if (options.database !== undefined) await session.queryAsync(`USE ${quoteIdentifier(options.database)}`);
        await session.queryAsync(`SET ${lasting}`, { format: 'Null' });
      }
      const bound = Object.entries(texts).map(([name, text]) => `param_${name} = ${quote(text)}`);
      if (bound.length > 0) await session.queryAsync(`SET ${bound.join(', ')}`, { format: 'Null' });
      return { session, release };
    } catch (error) {
      session.close();
      throw asError(error);
    }
  }
}

function literal(value: string | number): string {
  return typeof value === 'number' ? String(value) : quote(value);
}

async function settled<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    throw asError(error);
  }
}

function asError(error: unknown): Error {
  if (error instanceof LogweirError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return clickHouseError(message, error);
}
