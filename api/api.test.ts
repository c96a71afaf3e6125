import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { endpoints } from './endpoints/mod.ts';
import { lastingMs } from './lasting.ts';
import { startApi } from './mod.ts';
import type { ApiDeps } from './ports.ts';
import { buildServer } from './server.ts';
import { emptyQueries, fakeDeps, fakeQueries } from './testing/fake.ts';
import { hostileBodies } from './testing/seed.ts';
import type { AnomalyDetail, AnomalyPage, LogPage, Overview, Page, Problem, Trend } from './types.ts';

const nowMs = Date.UTC(2025, 2, 14, 12, 30);
const open: FastifyInstance[] = [];

async function server(overrides: Partial<ApiDeps> = {}): Promise<FastifyInstance> {
  const app = await buildServer(fakeDeps(nowMs, overrides));
  open.push(app);
  return app;
}

async function get<T>(
  url: string,
  overrides: Partial<ApiDeps> = {},
): Promise<{ status: number; body: T; type: string }> {
  const app = await server(overrides);
  const response = await app.inject({ url, headers: { host: '127.0.0.1:8080' } });
  return { status: response.statusCode, body: response.json<T>(), type: String(response.headers['content-type']) };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

describe('answers', () => {
  it('every endpoint answers, with data and without', async () => {
    for (const { path } of endpoints) {
      const url = `/api/v1${path.replace(':id', '000a1b2c3d4e5f60')}`;
      expect((await get(url)).status, url).toBe(200);
      if (!path.includes(':id')) expect((await get(url, { queries: emptyQueries() })).status, url).toBe(200);
    }
  });

  it('overview compares with the range of the same length before', async () => {
    const { body } = await get<Overview>('/api/v1/overview?from=now-30m');
    expect(body.range).toEqual({ fromMs: nowMs - 1_800_000, toMs: nowMs });
    // One finding reaches into both.
    expect([body.previous.anomalies, body.totals.anomalies]).toEqual([3, 5]);
    expect(body.totals.logs).toBeGreaterThan(0);
  });

  it('trend aligns to its step and adds up what is beyond the limit', async () => {
    const { body } = await get<Trend>('/api/v1/trend?from=now-61m&limit=3');
    expect(body.stepMs).toBe(60_000);
    expect(body.timesMs).toHaveLength(61);
    expect(body.series.map(({ service }) => service)).toEqual(['edge-proxy', 'checkout', 'catalog']);
    expect(body.others?.services).toBe(9);
  });

  it('anomalies are filtered by each field, and the detectors are counted apart from that filter', async () => {
    const ids = async (query: string): Promise<string[]> =>
      (await get<AnomalyPage>(`/api/v1/anomalies?${query}`)).body.items.map(({ service }) => service);
    expect(await ids('score=80')).toEqual(['payments', 'checkout']);
    expect(await ids('service=auth')).toEqual(['auth']);
    expect(await ids('text=NEVER%20seen')).toEqual(['auth']);
    expect(await ids('open=true')).toEqual(['edge-proxy', 'payments']);
    expect(await ids('open=false')).toEqual(['search', 'checkout', 'inventory', 'auth', 'mailer']);
    const spikes = await get<AnomalyPage>('/api/v1/anomalies?detector=error_spike');
    expect(spikes.body.items).toHaveLength(2);
    expect(spikes.body.detectors).toContainEqual({ detector: 'new_template', count: 1 });
  });

  it('an anomaly says whether it goes on, since when and for how long', async () => {
    const { items } = (await get<AnomalyPage>('/api/v1/anomalies?detector=error_spike')).body;
    expect(items.map(({ service, open, durationMs, startMs }) => [service, open, durationMs, nowMs - startMs])).toEqual(
      [
        ['payments', true, 23 * 60_000, 23 * 60_000],
        ['checkout', false, 5 * 60_000, 22 * 60_000],
      ],
    );
    // Found in old logs, and never seen to end: it lasted as long as was seen of it.
    const old = { startMs: 0, endMs: 90_000, open: true };
    expect(lastingMs(old, nowMs)).toBe(90_000);
    expect(lastingMs({ ...old, startMs: nowMs + 5 }, nowMs)).toBe(0);
  });

  it('an anomaly comes with the logs of its service around it', async () => {
    const { body } = await get<AnomalyDetail>('/api/v1/anomalies/000a1b2c3d4e5f60');
    expect(body.anomaly.service).toBe('payments');
    expect(body.logsRange.fromMs).toBe(body.anomaly.startMs - 30_000);
    expect(body.logs.length).toBeGreaterThan(0);
    expect(body.logs.every(({ service, timeMs }) => service === 'payments' && timeMs < body.logsRange.toMs)).toBe(true);
  });

  it('pages end to end give every log once', async () => {
    const seen: string[] = [];
    let next: string | null = null;
    do {
      const after: string = next === null ? '' : `&after=${next}`;
      const { body }: { body: LogPage } = await get<LogPage>(`/api/v1/logs?service=audit&limit=90${after}`);
      seen.push(...body.items.map(({ sequence }) => String(sequence)));
      next = body.next;
    } while (next !== null);
    expect(seen).toHaveLength(600);
    expect(new Set(seen).size).toBe(600);
  });

  it('bodies travel unchanged, as JSON that no browser sniffs into a page', async () => {
    const app = await server();
    const response = await app.inject({ url: '/api/v1/logs?service=audit', headers: { host: 'localhost' } });
    const bodies = response.json<Page<{ body: string }>>().items.map(({ body }) => body);
    for (const hostile of hostileBodies) expect(bodies).toContain(hostile);
    expect(response.headers['content-type']).toContain('application/json');
    expect(response.headers['x-content-type-options']).toBe('nosniff');
  });
});

describe('problems', () => {
  it('names every wrong parameter at once', async () => {
    const { status, body, type } = await get<Problem>(
      '/api/v1/anomalies?score=101&nope=1&from=yesterday&text=a&text=b',
    );
    expect(status).toBe(400);
    expect(type).toContain('application/problem+json');
    expect(body.code).toBe('QUERY_INVALID');
    expect(body.errors?.map(({ parameter }) => parameter).sort()).toEqual(['from', 'nope', 'score', 'text']);
  });

  it.each([
    '/api/v1/logs?from=now&to=now-1h',
    '/api/v1/logs?limit=0',
    '/api/v1/logs?limit=1e3',
    '/api/v1/logs?after=not%20a%20cursor',
    '/api/v1/logs?after=abc',
    '/api/v1/logs?trace=xyz',
    '/api/v1/logs?text=%00',
    '/api/v1/logs?from=2025-13-01',
    '/api/v1/logs?to=9999999999999',
    '/api/v1/templates?sort=best',
    '/api/v1/overview?__proto__=1',
  ])('refuses %s', async (url) => {
    expect((await get<Problem>(url)).body).toMatchObject({ status: 400, code: 'QUERY_INVALID' });
  });

  it('what is not there is said so', async () => {
    for (const url of ['/nothing', '/api/v1/anomalies/ffff', '/api/v1/anomalies/a.b', '/api/v1/../../etc/passwd']) {
      expect((await get<Problem>(url)).body, url).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    }
  });

  it('only reads', async () => {
    const app = await server();
    const response = await app.inject({
      method: 'POST',
      url: '/api/v1/logs',
      headers: { host: 'localhost' },
      payload: {},
    });
    expect(response.json<Problem>().code).toBe('METHOD_NOT_ALLOWED');
  });

  it('a failing part keeps its code and says whether to come back', async () => {
    const queries = fakeQueries(nowMs);
    queries.logs = async () => {
      throw new LogweirError('CLICKHOUSE_UNAVAILABLE', 'ClickHouse does not answer.', 'Wait.');
    };
    const app = await server({ queries });
    const response = await app.inject({ url: '/api/v1/logs', headers: { host: 'localhost' } });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('2');
    expect(response.json<Problem>().code).toBe('CLICKHOUSE_UNAVAILABLE');
  });

  it('the unexpected is logged here and not told there', async () => {
    const logged: string[] = [];
    const queries = fakeQueries(nowMs);
    queries.logs = async () => {
      throw new Error('secret path');
    };
    const log = { info: () => {}, warn: () => {}, error: (text: string) => void logged.push(text) };
    const { status, body } = await get<Problem>('/api/v1/logs', { queries, log });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(logged.join()).toContain('secret path');
  });
});

describe('hosts and headers', () => {
  const status = async (host: string, overrides: Partial<ApiDeps> = {}): Promise<number> =>
    (await (await server(overrides)).inject({ url: '/healthz', headers: { host } })).statusCode;

  it('on loopback, a name that was rebound is refused', async () => {
    expect(await status('evil.example:8080')).toBe(421);
    expect(await status('127.0.0.1.evil.example')).toBe(421);
    for (const host of ['127.0.0.1:9000', 'localhost', 'LOCALHOST:1', '[::1]:8080', 'logs.localhost'])
      expect(await status(host), host).toBe(200);
    expect(await status('logs.corp', { allowedHosts: ['logs.corp'] })).toBe(200);
    expect(await status('evil.example', { host: '0.0.0.0' })).toBe(200);
  });

  it('every answer carries the policy, problems too, and no CORS', async () => {
    const app = await server();
    for (const url of ['/api/v1/cluster', '/nothing', '/healthz']) {
      const { headers } = await app.inject({ url, headers: { host: 'localhost', origin: 'http://elsewhere' } });
      expect(headers['content-security-policy']).toContain("script-src 'self'");
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });
});

describe('operations', () => {
  it('readiness says why not', async () => {
    expect((await get('/readyz')).status).toBe(200);
    const { status, body } = await get<{ reasons: string[] }>('/readyz', {
      notReady: () => ['ClickHouse does not answer'],
    });
    expect(status).toBe(503);
    expect(body.reasons).toEqual(['ClickHouse does not answer']);
  });

  it('metrics count by route, never by URL', async () => {
    const app = await server({ metrics: () => 'logweir_up 1\n' });
    await app.inject({ url: '/api/v1/anomalies/ffff', headers: { host: 'localhost' } });
    await app.inject({ url: '/random/1', headers: { host: 'localhost' } });
    const { body } = await app.inject({ url: '/metrics', headers: { host: 'localhost' } });
    expect(body).toContain('logweir_up 1');
    expect(body).toContain('logweir_api_requests_total{route="/api/v1/anomalies/:id",status="404"} 1');
    expect(body).not.toContain('random');
  });

  it('the OpenAPI document lists every endpoint with its parameters', async () => {
    const { body } = await get<{ paths: Record<string, { get: { parameters?: { name: string }[] } }> }>(
      '/api/v1/openapi.json',
    );
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/api/v1/live', '/api/v1/corrections', '/api/v1/corrections/{id}']),
    );
    expect(Object.keys(body.paths)).toHaveLength(endpoints.length + 8);
    expect(body.paths['/api/v1/logs']?.get.parameters?.map(({ name }) => name)).toContain('trace');
  });

  it('a port that is taken is one clear error', async () => {
    const first = await startApi(fakeDeps(nowMs));
    const port = Number(new URL(first.url).port);
    await expect(startApi(fakeDeps(nowMs, { port }))).rejects.toMatchObject({ code: 'PORT_TAKEN' });
    await first.close();
  });
});
