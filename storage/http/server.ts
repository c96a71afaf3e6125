/**
 * ClickHouse's HTTP interface over the embedded engine, so that curl, ClickHouse's own clients, Grafana and BI tools
 * query a laptop as they would a server. Read-only unless configured otherwise: the engine's own read-only mode on
 * every query's connection, and a check of the few means that go round it.
 */
import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { LogweirError } from '#protocol/errors.ts';
import type { EmbeddedClickHouse, RunOptions } from '../engine/embedded.ts';
import { ClickHouseError, clickHouseError, exceptionCodes } from '../engine/error.ts';
import { contentTypeOf, headerLength, joiningOf } from './formats.ts';
import { insertData } from './insert.ts';
import { QueryQueue } from './queue.ts';
import { exception, type HttpQuery, readRequest } from './request.ts';
import { isReading } from '../sql/statement.ts';
import { type Encoding, encodingOf, ResultSink, sendException } from './respond.ts';
import { admitSettings, type Limits, limitsDefault } from './settings.ts';

export interface ClickHouseServerOptions {
  engine: EmbeddedClickHouse;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 8123; 0 = any free port. */
  port?: number;
  /** Database of unqualified names where the request names none, default `logweir`. */
  database?: string;
  /** Whether INSERT and DDL are allowed, default false. */
  writable?: boolean;
  /** Asked of every client where set; any user name will do. */
  password?: string | undefined;
  /** Further names that the Host header may carry while only loopback is served. */
  allowedHosts?: readonly string[];
  limits?: Partial<Limits>;
  /** Queries run at once, default 4; keep UV_THREADPOOL_SIZE at twice that or more. */
  concurrentMax?: number;
  /** Queries that wait for a place, default 64; more are answered with 503. */
  waitingMax?: number;
  /** How long one waits, in ms, default 10_000. */
  waitMs?: number;
}

export interface ClickHouseServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The engine streams results of these only; those of SHOW, DESCRIBE and their kin are small. */
const streamed = new Set(['SELECT', 'WITH', 'FROM', '(']);

const queryBytesMax = 4 * 1024 * 1024;
const insertBytesMax = 256 * 1024 * 1024;
const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/** @throws LogweirError PORT_TAKEN */
export async function serveClickHouse(options: ClickHouseServerOptions): Promise<ClickHouseServer> {
  const face = new Face(options);
  const server = createServer({ keepAliveTimeout: 10_000, maxHeaderSize: 1024 * 1024 }, (request, response) => {
    void face.answer(request, response);
  });
  const host = options.host ?? '127.0.0.1';
  await listen(server, host, options.port ?? 8123);
  const { port } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new LogweirError(
              'PORT_TAKEN',
              `Port ${port} on ${host} is used by another program.`,
              'Choose another with clickhouse.port, or stop that program.',
              { cause },
            )
          : cause,
      );
    });
    server.listen(port, host, resolve);
  });
}

class Face {
  private readonly options: ClickHouseServerOptions;
  private readonly limits: Limits;
  private readonly queue: QueryQueue;
  private readonly hosts: ReadonlySet<string> | null;

  constructor(options: ClickHouseServerOptions) {
    this.options = options;
    this.limits = { ...limitsDefault, ...options.limits };
    this.queue = new QueryQueue(options.concurrentMax ?? 4, options.waitingMax ?? 64, options.waitMs ?? 10_000);
    // A page in a browser can point its own name at 127.0.0.1; it cannot change the Host that it sends.
    this.hosts = loopbackNames.has(options.host ?? '127.0.0.1')
      ? new Set([...loopbackNames, ...(options.allowedHosts ?? [])])
      : null;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
      if (this.hosts !== null && !this.hosts.has(host)) {
        response.writeHead(403).end('This server answers to its loopback names only.\n');
      } else if (url.pathname === '/ping' || url.pathname === '/replicas_status') {
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=UTF-8' }).end('Ok.\n');
      } else if (url.pathname !== '/') {
        response.writeHead(404).end('There is no such page here: send queries to /?query=…, or POST them to /.\n');
      } else if (request.method !== 'GET' && request.method !== 'POST' && request.method !== 'HEAD') {
        response.writeHead(405, { Allow: 'GET, HEAD, POST' }).end();
      } else if (request.method !== 'POST' && !url.searchParams.has('query')) {
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=UTF-8' }).end('Ok.\n');
      } else {
        await this.run(request, response, url.searchParams);
      }
    } catch (error) {
      const failure =
        error instanceof ClickHouseError
          ? error
          : clickHouseError(`Code: 1001. DB::Exception: ${String(error)} (STD_EXCEPTION)`, error);
      if (response.headersSent) response.destroy();
      else sendException(response, failure);
    }
  }

  private async run(request: IncomingMessage, response: ServerResponse, search: URLSearchParams): Promise<void> {
    this.authenticate(request, search);
    response.setHeader('X-ClickHouse-Server-Display-Name', 'logweir');
    response.setHeader('X-ClickHouse-Query-Id', search.get('query_id') ?? randomUUID());
    response.setHeader('X-ClickHouse-Timezone', 'UTC');
    const body = await readBody(request, this.options.writable === true ? insertBytesMax : queryBytesMax);
    const headers = request.headers as Record<string, string | undefined>;
    const query = readRequest(
      { method: request.method ?? 'GET', search, headers, body },
      { writable: this.options.writable === true },
    );
    const encoding = search.get('enable_http_compression') === '1' ? encodingOf(headers['accept-encoding']) : null;
    const leave = await this.queue.enter();
    if (leave === null) {
      throw exception(
        exceptionCodes.tooManySimultaneousQueries,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        'Too many queries at once; try again in a moment',
      );
    }
    try {
      if (!response.destroyed) await this.send(response, query, encoding);
    } finally {
      leave();
    }
  }

  private authenticate(request: IncomingMessage, search: URLSearchParams): void {
    const { password } = this.options;
    if (password === undefined) return;
    const { authorization, 'x-clickhouse-key': key } = request.headers;
    const basic = authorization?.startsWith('Basic ')
      ? Buffer.from(authorization.slice(6), 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
      : '';
    const given = Buffer.from(typeof key === 'string' ? key : (search.get('password') ?? basic));
    const wanted = Buffer.from(password);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw exception(
        exceptionCodes.authenticationFailed,
        'AUTHENTICATION_FAILED',
        'Authentication failed: password is incorrect',
      );
    }
  }

  private async send(response: ServerResponse, query: HttpQuery, encoding: Encoding | null): Promise<void> {
    const { statement, format } = query;
    const joining = joiningOf(format);
    const whole = joining.by === 'whole' || query.waitEndOfQuery;
    const admitted = admitSettings(query.settings, this.limits, whole);
    if ('refused' in admitted) {
      throw exception(exceptionCodes.readonly, 'READONLY', `Cannot modify '${admitted.refused}' setting here`);
    }
    const options: RunOptions = {
      format,
      database: query.database ?? this.options.database ?? 'logweir',
      settings: admitted.settings,
      paramTexts: query.paramTexts,
      readOnly: this.options.writable !== true || isReading(statement),
      isolated: this.options.writable === true,
    };
    response.setHeader('Content-Type', contentTypeOf(format));
    response.setHeader('X-ClickHouse-Format', format);
    if (statement.insert !== null) {
      const written = await insertData(this.options.engine, statement.insert, query.data, options);
      response.setHeader('X-ClickHouse-Summary', summary(written));
      response.end();
    } else if (statement.verb === 'SET' || statement.verb === 'USE') {
      // Taken politely: there are no sessions here that it could last in.
      response.end();
    } else if (whole || !streamed.has(statement.verb)) {
      await this.sendWhole(response, statement.sql, options, encoding);
    } else {
      await this.sendStream(response, statement.sql, options, encoding);
    }
  }

  private async sendWhole(
    response: ServerResponse,
    sql: string,
    options: RunOptions,
    encoding: Encoding | null,
  ): Promise<void> {
    // Without a signal: the engine cannot stop a single query, and its place must stay taken until it ends.
    const result = await this.options.engine.run(sql, options);
    response.setHeader('X-ClickHouse-Summary', summary(result));
    new ResultSink(response, encoding).end(result.bytes);
  }

  private async sendStream(
    response: ServerResponse,
    sql: string,
    options: RunOptions,
    encoding: Encoding | null,
  ): Promise<void> {
    const joining = joiningOf(options.format ?? '');
    const tag = randomBytes(8).toString('hex');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    let sink: ResultSink | null = null;
    try {
      for await (const chunk of this.options.engine.stream(sql, { ...options, signal: gone.signal })) {
        const first = sink === null;
        if (sink === null) {
          response.setHeader('X-ClickHouse-Exception-Tag', tag);
          response.setHeader('X-ClickHouse-Summary', summary({ rowsRead: 0, bytesRead: 0, elapsedSeconds: 0 }));
          sink = new ResultSink(response, encoding);
        }
        if (!(await sink.write(first ? chunk : chunk.subarray(headerLength(chunk, joining))))) return;
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      if (sink === null) throw error;
      return sink.breakOff(tag, error as ClickHouseError);
    }
    if (sink !== null) sink.end();
    else if (joining.by === 'nothing') response.end();
    // No rows: the engine streamed nothing, not even the header that the format has.
    else await this.sendWhole(response, sql, options, encoding);
  }
}

function summary(result: { rowsRead: number; bytesRead: number; elapsedSeconds: number }): string {
  return JSON.stringify({
    read_rows: String(result.rowsRead),
    read_bytes: String(result.bytesRead),
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: '0',
    elapsed_ns: String(Math.round(result.elapsedSeconds * 1e9)),
  });
}

const decoders: Readonly<
  Record<string, (data: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>>
> = {
  gzip: promisify(gunzip) as never,
  deflate: promisify(inflate) as never,
  br: promisify(brotliDecompress) as never,
  zstd: promisify(zstdDecompress) as never,
};

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ClickHouseError =>
    exception(396, 'TOO_MANY_ROWS_OR_BYTES', `The request is over ${bytesMax} bytes`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || body.length === 0) return body;
  const decode = decoders[encoding];
  if (decode === undefined)
    throw exception(
      exceptionCodes.unsupportedMethod,
      'UNSUPPORTED_METHOD',
      `Content-Encoding ${encoding} is not supported; use gzip, deflate, br or zstd`,
    );
  try {
    return await decode(body, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw exception(exceptionCodes.badArguments, 'BAD_ARGUMENTS', `The body is no valid ${encoding}`);
  }
}
