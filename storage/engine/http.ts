/** ClickHouse as a server, over its HTTP interface. */
import { columnNames, paramText } from '../sql/literal.ts';
import { ClickHouseError, clickHouseError, exceptionCodes, unavailable } from './error.ts';
import { type ClickHouse, insertSettings, type QueryOptions, type Settings } from './port.ts';

export interface HttpOptions {
  /** `http://user:password@host:8123/database`; user, password and database may be left out. */
  url: string;
  /** Longest silence of the server before a call is given up, in ms, default 300_000. */
  timeoutMs?: number;
}

const endOfException = /__exception__\r\n([\s\S]*)\n\d+ \S+\r\n__exception__\r\n$/;

export class HttpClickHouse implements ClickHouse {
  readonly origin: string;
  private readonly headers: Record<string, string> = {};
  private readonly timeoutMs: number;

  constructor(options: HttpOptions) {
    const url = new URL(options.url);
    this.origin = url.origin;
    this.timeoutMs = options.timeoutMs ?? 300_000;
    if (url.username !== '') this.headers['x-clickhouse-user'] = decodeURIComponent(url.username);
    if (url.password !== '') this.headers['x-clickhouse-key'] = decodeURIComponent(url.password);
    const database = url.pathname.slice(1);
    if (database !== '') this.headers['x-clickhouse-database'] = decodeURIComponent(database);
  }

  /** True where the server answers. */
  async ping(timeoutMs = 2_000): Promise<boolean> {
    try {
      const response = await fetch(`${this.origin}/ping`, { signal: AbortSignal.timeout(timeoutMs) });
      return response.ok;
    } catch {
      return false;
    }
  }

  async command(sql: string, settings: Settings = {}): Promise<void> {
    await this.whole(await this.send(new URLSearchParams(texts(settings)), sql));
  }

  async query(sql: string, options: QueryOptions = {}): Promise<Uint8Array> {
    return await this.whole(await this.send(search(options), sql, options.signal));
  }

  async *stream(sql: string, options: QueryOptions = {}): AsyncGenerator<Uint8Array> {
    yield* this.chunks(await this.send(search(options), sql, options.signal));
  }

  async insertNative(table: string, columns: string, chunks: readonly Uint8Array[], token: string): Promise<void> {
    const parameters = new URLSearchParams(texts({ ...insertSettings, insert_deduplication_token: token }));
    parameters.set('query', `INSERT INTO ${table} (${columnNames(columns)}) FORMAT Native`);
    await this.whole(await this.send(parameters, new Blob(chunks as Uint8Array<ArrayBuffer>[])));
  }

  async close(): Promise<void> {}

  private async send(parameters: URLSearchParams, body: string | Blob, signal?: AbortSignal): Promise<Response> {
    const stop = AbortSignal.timeout(this.timeoutMs);
    let response: Response;
    try {
      response = await fetch(`${this.origin}/?${parameters.toString()}`, {
        method: 'POST',
        headers: this.headers,
        body,
        signal: signal === undefined ? stop : AbortSignal.any([stop, signal]),
      });
    } catch (error) {
      throw unavailable(this.origin, error);
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => '');
    if (response.status === 503 && !text.startsWith('Code:'))
      throw unavailable(this.origin, new Error(text || 'status 503'));
    const failure = clickHouseError(text === '' ? `ClickHouse answered with status ${response.status}.` : text);
    if (failure.exceptionCode !== exceptionCodes.tooManySimultaneousQueries) throw failure;
    throw new ClickHouseError(
      'CLICKHOUSE_UNAVAILABLE',
      failure.message,
      'Try again in a moment.',
      failure.exceptionCode,
    );
  }

  private async whole(response: Response): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.chunks(response)) chunks.push(chunk);
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  /** The body as it comes. Its last bytes are kept in mind: they name what went wrong where it breaks off. */
  private async *chunks(response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    let tail = '';
    try {
      for await (const chunk of response.body) {
        tail = (tail + Buffer.from(chunk.subarray(-4096)).toString('latin1')).slice(-4096);
        const failure = exceptionIn(tail, response);
        if (failure !== null) throw failure;
        yield chunk;
      }
    } catch (error) {
      if (error instanceof ClickHouseError) throw error;
      throw exceptionIn(tail, response) ?? unavailable(this.origin, error);
    }
  }
}

/** A failure that came after the result had begun stands at its end, marked by the tag that the headers named. */
function exceptionIn(tail: string, response: Response): ClickHouseError | null {
  const tag = response.headers.get('x-clickhouse-exception-tag');
  if (tag === null || !tail.includes(tag)) return null;
  const text = endOfException.exec(tail)?.[1] ?? tail;
  return clickHouseError(Buffer.from(text.slice(text.indexOf('\n') + 1), 'latin1').toString());
}

function texts(settings: Settings): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
}

function search(options: QueryOptions): URLSearchParams {
  const parameters = new URLSearchParams(texts(options.settings ?? {}));
  parameters.set('default_format', options.format ?? 'JSONEachRow');
  for (const [name, value] of Object.entries(options.params ?? {})) parameters.set(`param_${name}`, paramText(value));
  return parameters;
}
