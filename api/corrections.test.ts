import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { buildServer } from './server.ts';
import { fakeDeps } from './testing/fake.ts';
import type { CorrectionHistory, CorrectionItem, CorrectionPage, ModelStatus, Problem, TemplatePage } from './types.ts';

const nowMs = 1_700_000_000_000;
const host = '127.0.0.1:8080';
let app: FastifyInstance;
afterEach(() => app.close());

const opened = async (): Promise<FastifyInstance> => (app = await buildServer(fakeDeps(nowMs)));
const post = (payload: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url: '/api/v1/corrections',
    headers: { host, 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
const get = async <T>(path: string): Promise<T> =>
  (await app.inject({ url: `/api/v1${path}`, headers: { host } })).json<T>();

describe('corrections', () => {
  it('are made for a message, replaced, listed and taken back', async () => {
    await opened();
    const made = await post({ body: 'gate <*> swung open', service: 'shop', severity: 'WARN' });
    expect(made.statusCode).toBe(201);
    const { id } = made.json<CorrectionItem>();
    await post({ body: 'gate <*> swung open', service: 'shop', category: 'gates' });
    expect((await get<CorrectionPage>('/corrections')).items).toEqual([
      {
        id,
        service: 'shop',
        text: 'gate <*> swung open',
        templateId: '',
        severity: 'WARN',
        category: 'gates',
        by: 'api',
        atMs: nowMs,
      },
    ]);
    const remove = () => app.inject({ method: 'DELETE', url: `/api/v1/corrections/${id}`, headers: { host } });
    expect((await remove()).statusCode).toBe(204);
    expect((await remove()).json<Problem>()).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('say who, when and why, and are undone one change after the other', async () => {
    await opened();
    const about = { body: 'lamp <*> glows', service: 'shop' };
    const made = await post({ ...about, severity: 'WARN', by: 'ana', why: 'it wakes nobody' });
    const { id } = made.json<CorrectionItem>();
    expect(made.json()).toMatchObject({ by: 'ana', why: 'it wakes nobody' });
    await post({ ...about, severity: 'ERROR', by: 'ben' });
    const undo = (payload?: object) =>
      app.inject({
        method: 'POST',
        url: `/api/v1/corrections/${id}/undo`,
        headers: { host },
        ...(payload && { payload }),
      });
    const held = async (): Promise<string[]> =>
      (await get<CorrectionPage>('/corrections')).items.map(({ severity, by }) => `${severity} ${by}`);
    expect(await held()).toEqual(['ERROR ben']);
    expect((await undo({ by: 'ana', why: 'too loud' })).statusCode).toBe(204);
    expect(await held()).toEqual(['WARN ana']);
    const { items } = await get<CorrectionHistory>(`/corrections/${id}/history`);
    expect(items.map(({ kind, by, why }) => `${kind} ${by} ${why}`.trim())).toEqual([
      'set ana too loud',
      'removed ana too loud',
      'set ben',
      'set ana it wakes nobody',
    ]);
    expect((await get<CorrectionHistory>('/corrections/history')).items).toHaveLength(4);
    expect((await app.inject({ url: '/api/v1/corrections/ffff/history', headers: { host } })).statusCode).toBe(404);
  });

  it('are made for a template, with its text and its one service', async () => {
    await opened();
    const [template] = (await get<TemplatePage>('/templates')).items;
    const made = await post({ templateId: template!.templateId, category: 'gates' });
    expect(made.json<CorrectionItem>()).toMatchObject({
      templateId: template!.templateId,
      text: template!.template,
      service: template!.service,
    });
  });

  it.each([
    ['nothing said', { body: 'x y' }, 400, /neither severity nor category/],
    ['no text', { severity: 'WARN' }, 400, /Exactly one/],
    ['both', { body: 'x', templateId: 'ab', severity: 'WARN' }, 400, /Exactly one/],
    ['blank text', { body: ' \n', severity: 'WARN' }, 400, /no text/],
    ['an unknown severity', { body: 'x', severity: 'LOUD' }, 400, /LOUD/],
    ['a long category', { body: 'x', category: 'c'.repeat(101) }, 400, /101/],
    ['an unknown field', { body: 'x', level: 'WARN' }, 400, /'level'/],
    ['no text but a number', { body: 4, severity: 'WARN' }, 400, /'body' must be text/],
    ['a list', [1], 400, /JSON object/],
    ['broken JSON', '{"body":', 400, /./],
    ['an unknown template', { templateId: 'ffff', severity: 'WARN' }, 404, /no template 'ffff'/],
    ['a huge body', { body: 'x'.repeat(40_000), severity: 'WARN' }, 413, /large/],
    ['a long text', { body: 'x'.repeat(5_000), severity: 'WARN' }, 400, /5000 characters/],
  ])('are refused with %s', async (_what, payload, status, detail) => {
    await opened();
    const response = await post(payload);
    expect(response.statusCode).toBe(status);
    expect(response.json<Problem>().detail).toMatch(detail);
    expect(response.json<Problem>().remedy).not.toBe('');
    expect((await get<CorrectionPage>('/corrections')).items).toEqual([]);
  });

  it('are not taken from pages of other origins, nor as plain text', async () => {
    await opened();
    const payload = { body: 'x', severity: 'WARN' };
    expect((await post(payload, { origin: 'http://evil.example' })).json<Problem>().code).toBe('ORIGIN_NOT_ALLOWED');
    expect((await post(payload, { origin: 'null' })).statusCode).toBe(403);
    expect((await post(payload, { 'content-type': 'text/plain' })).statusCode).toBe(415);
    expect((await post(payload, { origin: `http://${host}` })).statusCode).toBe(201);
  });
});

describe('/model', () => {
  it('tells what serves and how it fares', async () => {
    await opened();
    const status = await get<ModelStatus>('/model');
    expect(status).toMatchObject({ serving: 1, settled: true, corrections: 0, services: 6 });
    expect(status.severity.accuracy).toBeCloseTo(0.989, 3);
    expect(status.severity.confusion[0]).toEqual({ truth: 'INFO', answer: 'INFO', records: 4120 });
    expect(status.category.accuracy).toBeNull();
    expect(status.latency).toMatchObject({ templates: 377, p99Ms: 0.5 });
    expect(status.severity.learners[0]).toEqual({ name: 'linear', weight: 0.62, accuracy: 0.95 });
  });

  it('trains and rolls back on request, from pages of its own origin only', async () => {
    await opened();
    const send = (path: string, payload: object, headers: Record<string, string> = {}) =>
      app.inject({
        method: 'POST',
        url: `/api/v1/model/${path}`,
        headers: { host, 'content-type': 'application/json', ...headers },
        payload: JSON.stringify(payload),
      });
    expect((await get<ModelStatus>('/model')).training).toMatchObject({
      asked: false,
      runs: [{ outcome: 'published' }],
    });
    expect((await send('train', {})).statusCode).toBe(202);
    expect((await get<ModelStatus>('/model')).training.asked).toBe(true);
    expect((await app.inject({ method: 'POST', url: '/api/v1/model/train', headers: { host } })).statusCode).toBe(202);
    expect((await send('train', { force: 'yes' })).json<Problem>().detail).toMatch(/'force' must be true or false/);
    expect((await send('rollback', {})).json()).toEqual({ serving: 0 });
    expect((await send('rollback', { version: 1 })).json()).toEqual({ serving: 1 });
    expect((await send('rollback', { version: 1 })).json<Problem>().detail).toMatch(/serves already/);
    expect((await send('rollback', { version: 1.5 })).statusCode).toBe(400);
    expect((await send('train', {}, { origin: 'http://evil.example' })).statusCode).toBe(403);
  });
});
