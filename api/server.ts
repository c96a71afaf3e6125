/** The HTTP server over the endpoint table: routing, headers, problems, live events, the page. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import fastify from 'fastify';
import { serveModelChanges } from './model-changes.ts';
import { serveCorrections } from './corrections.ts';
import { endpoints } from './endpoints/mod.ts';
import { createLiveHub, liveClientsMax } from './live.ts';
import { createMeter } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { readPage } from './page.ts';
import type { ApiDeps } from './ports.ts';
import { ApiProblem, problemContentType, problemOf } from './problems.ts';
import { hostAllowed, securityHeaders } from './security.ts';
import type { Problem } from './types.ts';

const idPattern = /^[\w-]{1,64}$/;

function send(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503 || problem.status === 504) reply.header('retry-after', '2');
  return reply.code(problem.status).header('cache-control', 'no-store').type(problemContentType).send(problem);
}

/** Builds the server; `listen` or `inject` is the caller's. Reads the page's files, throws if the folder is unreadable. */
export async function buildServer(deps: ApiDeps): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    // What fastify itself refuses before any route (a broken URL) is a problem document too.
    frameworkErrors: (error, request, reply) => {
      void send(reply, problemOf(error, request.url));
    },
    routerOptions: { maxParamLength: 200 },
  });
  // A page of another site can send plain text without asking first.
  app.removeContentTypeParser('text/plain');
  const meter = createMeter(deps.clock);
  const hub = createLiveHub(deps.live);

  app.addHook('onRequest', async (request, reply) => {
    meter.begin(request);
    reply.headers(securityHeaders);
    if (!hostAllowed(request.headers.host, deps.host, deps.allowedHosts ?? [])) {
      const detail = `This server is bound to ${deps.host} and does not answer for '${request.headers.host ?? ''}'.`;
      throw new ApiProblem(
        'HOST_NOT_ALLOWED',
        detail,
        'Open it as http://127.0.0.1 or http://localhost, or name the host in the configuration.',
      );
    }
  });
  app.addHook('onResponse', async (request, reply) => meter.end(request, reply.statusCode));
  app.addHook('preClose', async () => hub.close());

  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.url);
    if (problem.status >= 500)
      deps.log.error(
        `${request.method} ${request.url}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    return send(reply, problem);
  });
  app.setNotFoundHandler((request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new ApiProblem(
        'METHOD_NOT_ALLOWED',
        `${request.method} is not served here.`,
        'Of this API only /api/v1/corrections and /api/v1/model take anything; logs are sent to the gateway.',
      );
    }
    throw new ApiProblem(
      'NOT_FOUND',
      `There is nothing at '${request.url.split('?')[0]}'.`,
      'See /api/v1/openapi.json for the addresses there are.',
    );
  });

  for (const endpoint of endpoints) {
    app.get(`/api/v1${endpoint.path}`, async (request, reply) => {
      const { id = '' } = request.params as { id?: string };
      if (endpoint.path.includes(':id') && !idPattern.test(id)) {
        throw new ApiProblem('NOT_FOUND', `'${id}' is no id.`, 'Ids are letters, digits, - and _.');
      }
      reply.header('cache-control', 'no-store');
      const { queries, cluster, models, dead, ingestUrl } = deps;
      const context = {
        queries,
        cluster,
        models,
        dead,
        nowMs: deps.clock(),
        ...(ingestUrl !== undefined && { ingestUrl }),
      };
      return await endpoint.handle(request.query, context, id);
    });
  }
  serveCorrections(app, deps);
  serveModelChanges(app, deps);
  const document = openApiDocument(endpoints);
  app.get('/api/v1/openapi.json', async () => document);

  app.get('/api/v1/live', { exposeHeadRoute: false }, (_request, reply) => {
    if (hub.full()) {
      throw new ApiProblem(
        'LIVE_FULL',
        `${liveClientsMax} live connections are open.`,
        'Close pages that are not needed, or poll /api/v1/overview.',
      );
    }
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...securityHeaders,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Asks proxies (nginx) not to gather the stream into blocks.
      'x-accel-buffering': 'no',
    });
    hub.attach(raw);
  });

  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const reasons = (await deps.notReady?.()) ?? [];
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .send({ status: reasons.length === 0 ? 'ready' : 'not ready', reasons });
  });
  app.get('/metrics', async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return `${(await deps.metrics?.()) ?? ''}${meter.text(hub.counters())}`;
  });

  if (deps.dashboardDir !== undefined) await servePage(app, deps.dashboardDir);
  return app;
}

async function servePage(app: FastifyInstance, folder: string): Promise<void> {
  const files = await readPage(folder);
  for (const [path, file] of files) {
    app.get(path, (request, reply) => {
      reply.header('etag', file.etag).header('cache-control', file.cacheControl);
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
      return reply.type(file.contentType).send(file.body);
    });
  }
}
