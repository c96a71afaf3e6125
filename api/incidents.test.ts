import { describe, expect, it } from 'vitest';
import { incidents, timelineOf } from './endpoints/incidents.ts';
import { buildServer } from './server.ts';
import { fakeDeps } from './testing/fake.ts';
import { seedIncidents } from './testing/incidents.ts';
import type { IncidentDetail, IncidentPage, Problem } from './types.ts';

const nowMs = Date.UTC(2025, 2, 14, 12, 30);

async function get<T>(url: string): Promise<{ status: number; body: T }> {
  const app = await buildServer(fakeDeps(nowMs));
  const response = await app.inject({ url: `/api/v1${url}`, headers: { host: '127.0.0.1:8080' } });
  await app.close();
  return { status: response.statusCode, body: response.json<T>() };
}

describe('incidents', () => {
  it('are listed, filtered and paged', async () => {
    const titles = async (query: string): Promise<string[]> =>
      (await get<IncidentPage>(`/incidents${query}`)).body.items.map(({ title }) => title);
    expect(await titles('')).toEqual([
      'search: volume surge',
      'payments first, then edge-proxy and checkout',
      'auth first, then inventory',
    ]);
    expect(await titles('?services=2')).toHaveLength(2);
    expect(await titles('?state=open')).toHaveLength(1);
    expect(await titles('?service=auth')).toEqual(['auth first, then inventory']);
    expect(await titles('?score=90')).toHaveLength(1);
    const first = (await get<IncidentPage>('/incidents?limit=2')).body;
    expect((await get<IncidentPage>(`/incidents?limit=2&after=${first.next}`)).body.items).toHaveLength(1);
    expect((await get<Problem>('/incidents?state=new')).body.code).toBe('QUERY_INVALID');
    expect(incidents.path).toBe('/incidents');
  });

  it('are told one by one with members, alerts and a timeline', async () => {
    const [, cascade] = seedIncidents(nowMs);
    const { body } = await get<IncidentDetail>(`/incidents/${cascade?.id}`);
    expect(body.incident).toEqual(cascade);
    expect(body.alerts.map(({ service }) => service)).toContain('payments');
    expect(body.logsRange.fromMs).toBeLessThan(body.incident.startedMs);
    // Members that go on have no end yet.
    expect(body.timeline.map(({ kind, service }) => `${service} ${kind}`)).toEqual([
      'payments onset',
      'edge-proxy onset',
      'checkout onset',
      'checkout end',
    ]);
    if (cascade !== undefined) expect(timelineOf(cascade, [])).toHaveLength(6);
    expect((await get<Problem>('/incidents/nothing')).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});
