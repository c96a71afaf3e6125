/** The gateway: one HTTP server with every HTTP receiver on it, in front of the publisher. Stateless. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Bus, type DeadLetters, noDeadLetters, type Time } from '#bus/mod.ts';
import { LogweirError, liveLane } from '#protocol/mod.ts';
import { acceptMore, Admission, checkFree, ConnectionLimit, FairTurns, Quotas, sharing } from './admission/mod.ts';
import { BatchPublisher } from './batch-publisher.ts';
import { tooLarge } from './too-large.ts';
import { type Gate, openGate } from './pipeline/gate.ts';
import { sendProblem } from './problem.ts';
import type { AnswerError, GatewayLimits, ReceiverContext, ReceiverCounts } from './receiver.ts';
import { receiverServers, receivers } from './receivers/mod.ts';
import { alsoTls, type Tls } from './tls.ts';
import type { ReceiverTokens } from './tokens.ts';

export interface ReceiverPort {
  port: number;
  /** Where another program has it, the gateway starts without it. */
  mayBeTaken: boolean;
}

export interface GatewayOptions {
  bus: Bus;
  partitions: number;
  host: string;
  port: number;
  /** Further ports that serve the same, by receiver: where its clients look by default. */
  receiverPorts?: Readonly<Record<string, ReceiverPort>>;
  time: Time;
  /** Unique to this process and start. */
  id: string;
  limits?: Partial<GatewayLimits>;
  pendingBytesMax?: number;
  tokens?: Partial<ReceiverTokens>;
  /** On every port, beside plain connections; default none. */
  tls?: Tls | undefined;
  /** What sources and services may send in a second, default all they like. */
  quotas?: { sources: Quotas; services: Quotas };
  /** Connections of all ports, and of one address. */
  connectionsMax?: number;
  connectionsPerAddressMax?: number;
  /** Addresses of proxies, by comma, whose X-Forwarded-For is believed. */
  trustProxy?: string | false;
  /** How long the stream is asked again before a request is answered 503, ms. */
  giveUpAfterMs?: number;
  /** Where what cannot be taken goes, default nowhere. */
  dead?: DeadLetters;
  /** What records pass on their way, default nothing. */
  gate?: Gate;
  /** Prometheus text for /metrics. */
  metrics?: () => string;
}

const mib = 1024 * 1024;
const bodyBytesMaxDefault = 32 * mib;
const pendingBytesMaxDefault = 256 * mib;
const giveUpAfterMsDefault = 8_000;
const keepAliveTimeoutMs = 65_000;
/** A request that has not come whole by then is ended: whoever sends a byte a minute holds nothing for long. */
const requestTimeoutMs = 120_000;
/** … and headers are short. */
const headersTimeoutMs = 20_000;
/** When it stops, requests under way have this long: the stream is given up on before, and supervisors kill later. */
const stopMs = 12_000;
const tidyEveryMs = 50;
const connectionsMaxDefault = 4_096;
const connectionsPerAddressMaxDefault = 1_024;

const isTaken = (error: unknown): boolean => (error as { code?: string }).code === 'EADDRINUSE';

function taken(host: string, port: number, remedy: string, cause: unknown): LogweirError {
  return new LogweirError('PORT_TAKEN', `Port ${port} on ${host} is used by another program.`, remedy, { cause });
}

const answerError: AnswerError = (request, reply, error) => {
  const own = request.routeOptions.config.answerError;
  return own === undefined ? sendProblem(reply, error) : own(request, reply, error);
};

export class Gateway {
  readonly counts: ReceiverCounts = { requests: 0, records: 0, rejected: 0, unavailable: 0, bytes: 0 };
  readonly publisher: BatchPublisher;
  private readonly app: FastifyInstance;
  private readonly options: GatewayOptions;
  readonly admission: Admission;
  readonly connections: ConnectionLimit;
  port: number;
  /** Ports of receivers that are listened on. */
  readonly ports: Record<string, number> = {};
  private readonly context: ReceiverContext;
  /** By URL of their routes. */
  private readonly receiverOf = new Map<string, string>();
  private readonly closers: (() => Promise<void>)[] = [];
  private readonly servers: Server[] = [];
  /** End connections that said nothing yet. */
  private readonly enders: (() => void)[] = [];

  constructor(options: GatewayOptions) {
    this.options = options;
    this.port = options.port;
    const limits: GatewayLimits = { bodyBytesMax: options.limits?.bodyBytesMax ?? bodyBytesMaxDefault };
    const pendingBytesMax = options.pendingBytesMax ?? pendingBytesMaxDefault;
    this.publisher = new BatchPublisher({
      bus: options.bus,
      partitions: options.partitions,
      lane: liveLane,
      source: 'http',
      time: options.time,
      publisherId: options.id,
      pendingBytesMax,
      giveUpAfterMs: options.giveUpAfterMs ?? giveUpAfterMsDefault,
    });
    this.admission = new Admission({
      bytesMax: pendingBytesMax,
      records: this.publisher,
      sources: options.quotas?.sources ?? new Quotas([]),
      services: options.quotas?.services ?? new Quotas([]),
      now: options.time.now,
    });
    this.connections = new ConnectionLimit(
      options.connectionsMax ?? connectionsMaxDefault,
      options.connectionsPerAddressMax ?? connectionsPerAddressMaxDefault,
    );
    // What comes while it closes is finished like the rest: fastify's own refusal knows no Retry-After.
    this.app = fastify({
      bodyLimit: limits.bodyBytesMax,
      logger: false,
      keepAliveTimeout: keepAliveTimeoutMs,
      return503OnClosing: false,
      requestTimeout: requestTimeoutMs,
      trustProxy: options.trustProxy ?? false,
      http: { headersTimeout: headersTimeoutMs },
    });
    if (options.tls !== undefined) this.enders.push(alsoTls(this.app.server, options.tls, ['http/1.1']));
    this.connections.attach(this.app.server);
    this.servers.push(this.app.server);
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    this.app.setErrorHandler((error, request, reply) => {
      if ((error as { code?: string }).code !== 'FST_ERR_CTP_BODY_TOO_LARGE') return answerError(request, reply, error);
      this.buryUnread(request, limits.bodyBytesMax);
      return answerError(request, reply, tooLarge(limits.bodyBytesMax));
    });
    this.app.setNotFoundHandler((request, reply) =>
      reply
        .code(404)
        .header('content-type', 'application/problem+json')
        .send({
          type: 'about:blank',
          title: `Nothing is served at ${request.method} ${request.url.slice(0, 200)}.`,
          status: 404,
          code: 'NOT_FOUND',
          remedy: 'Logs go to POST /ingest, or to a path of the protocols in docs/receivers.md.',
        }),
    );
    this.bound(limits.bodyBytesMax);
    this.context = {
      publisher: this.publisher,
      admission: this.admission,
      turns: new FairTurns(options.time),
      clock: options.time.now,
      counts: this.counts,
      limits,
      dead: options.dead ?? noDeadLetters,
      gate: options.gate ?? openGate,
      tokens: { splunk: [], datadog: [], firehose: [], ...options.tokens },
      hold: (bytes, source = '') => this.admission.hold(source, bytes),
    };
    let registering = '';
    this.app.addHook('onRoute', ({ url }) => void this.receiverOf.set(url, registering));
    for (const receiver of receivers) {
      registering = receiver.name;
      receiver.register(this.app, this.context);
    }
    this.app.get('/healthz', async () => 'ok\n');
    this.app.get('/readyz', async (_request, reply) =>
      options.bus.connected ? 'ok\n' : reply.code(503).send('NATS is away\n'),
    );
    this.app.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4').send(options.metrics?.() ?? ''),
    );
  }

  /** A body that was not read for its size: only that is known of it. */
  private buryUnread(request: FastifyRequest, bytesMax: number): void {
    const bytesWhole = Number(request.headers['content-length'] ?? Number.NaN);
    this.context.dead.put({
      reason: 'too_long',
      // Without its query, which may hold a token.
      detail: `a body to ${request.url.split('?', 1)[0]?.slice(0, 200)} is over ${bytesMax} bytes and was not read`,
      receiver: this.receiverOf.get(request.routeOptions.url ?? '') ?? 'http',
      source: request.ip,
      service: '',
      atMs: this.context.clock(),
      bytes: new Uint8Array(),
      ...(Number.isSafeInteger(bytesWhole) ? { bytesWhole } : {}),
    });
  }

  /** Refuses bodies before they are read: where too much is held already, for everybody or for their source. */
  private bound(bodyBytesMax: number): void {
    this.app.addHook('onRequest', async (request, reply) => {
      const length = Number(request.headers['content-length'] ?? 0);
      // Refused for good when it is looked at, which must not depend on how much room there is.
      if (request.method === 'GET' || request.method === 'HEAD' || length > bodyBytesMax) return undefined;
      // Whoever is read as it sends waits instead of being refused.
      if (request.routeOptions.config.streams === true) return undefined;
      try {
        this.admission.check(request.ip, length);
        reply.raw.once('close', this.admission.hold(request.ip, length));
      } catch (error) {
        this.counts.unavailable++;
        return answerError(request, reply, error);
      }
      return undefined;
    });
    // A body of unknown length is counted as it comes.
    this.app.addHook('preParsing', async (request, reply, payload) => {
      if (request.headers['content-length'] !== undefined || request.routeOptions.config.streams === true)
        return payload;
      const releases: (() => void)[] = [];
      reply.raw.once('close', () => {
        for (const release of releases.splice(0)) release();
      });
      return payload.pipe(
        new Transform({
          transform: (chunk: Buffer, _encoding, done) => {
            try {
              releases.push(this.admission.hold(request.ip, chunk.length));
              done(null, chunk);
            } catch (error) {
              done(error as Error);
            }
          },
        }),
      );
    });
  }

  /** Bytes of requests that are not answered. */
  get heldBytes(): number {
    return this.admission.held.total;
  }

  /** @throws LogweirError PORT_TAKEN */
  async start(): Promise<void> {
    const { host, port, receiverPorts = {} } = this.options;
    try {
      await checkFree(host, port);
      const address = await this.app.listen({ host, port, ...sharing });
      this.port = Number(new URL(address).port);
      this.closers.push(await acceptMore(this.app.server, host, this.port));
    } catch (cause) {
      if (!isTaken(cause)) throw cause;
      throw taken(host, port, 'Stop it, or choose another with --port-gateway.', cause);
    }
    for (const [name, { port: wanted, mayBeTaken }] of Object.entries(receiverPorts)) {
      try {
        this.ports[name] = await this.listenAlso(name, wanted);
      } catch (cause) {
        if (!isTaken(cause)) throw cause;
        if (!mayBeTaken) throw taken(host, wanted, `Stop it, or choose another as ports.${name}.`, cause);
      }
    }
  }

  /** A further port: a server of the receiver's own, or the same routes as on the main port. */
  private async listenAlso(name: string, port: number): Promise<number> {
    const own = receiverServers.find((other) => other.name === name)?.open(this.context);
    const server = own?.server ?? this.serverOfRoutes();
    const { tls } = this.options;
    if (tls !== undefined) this.enders.push(alsoTls(server, tls, [own?.protocol ?? 'http/1.1']));
    this.connections.attach(server);
    const { host } = this.options;
    await checkFree(host, port);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host, ...sharing }, resolve);
    });
    this.closers.push(own?.stop ?? (() => new Promise<void>((resolve) => void server.close(() => resolve()))));
    const { port: bound } = server.address() as AddressInfo;
    this.closers.push(await acceptMore(server, host, bound));
    return bound;
  }

  private serverOfRoutes(): Server {
    const limits = {
      keepAliveTimeout: keepAliveTimeoutMs,
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
    };
    const server = createServer(limits, this.app.routing);
    this.servers.push(server);
    return server;
  }

  /** Takes no more requests, finishes those under way. */
  async stop(): Promise<void> {
    const { time } = this.options;
    this.publisher.flush();
    for (const end of this.enders) end();
    // A server that closes waits for connections that never said anything, and for those that are kept after their answer.
    const tidy = time.every(tidyEveryMs, () => {
      this.connections.endSilent();
      for (const server of this.servers) server.closeIdleConnections();
    });
    const late = time.after(stopMs, () => this.connections.endAll());
    await Promise.all([...this.closers.splice(0).map((close) => close()), this.app.close()]);
    tidy();
    late();
  }
}
