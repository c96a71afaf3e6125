/** The page and the API over seeded queries, on a free port. Run directly, it serves until it is ended. */
import { fileURLToPath } from 'node:url';
import { type Api, type ApiDeps, type LiveEvent, startApi } from '#api/mod.ts';
import { fakeDeps, fakeLive } from '#api/testing/fake.ts';
import { seedCluster } from '#api/testing/seed.ts';
import { ensureBuilt } from '../../dashboard/build.ts';

export interface SeededSite extends Api {
  push: (event: LiveEvent) => void;
}

export async function serveSeeded(nowMs: number, overrides: Partial<ApiDeps> = {}): Promise<SeededSite> {
  const live = fakeLive();
  const dashboardDir = await ensureBuilt();
  const api = await startApi(fakeDeps(nowMs, { dashboardDir, live: live.source, clock: Date.now, ...overrides }));
  return { ...api, push: live.push };
}

/** A rate sample a second, swaying like real traffic. */
export function sampleAt(timeMs: number, index: number): LiveEvent {
  const { services } = seedCluster();
  const sway = 1 + 0.14 * Math.sin(index / 6) + 0.05 * Math.sin(index * 1.7);
  const sample = {
    timeMs,
    recordsPerSecond: 258 * sway,
    errorsPerSecond: 1.4 * sway,
    services,
  };
  return { type: 'rate', sample };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const site = await serveSeeded(Date.now());
  let index = 0;
  setInterval(() => site.push(sampleAt(Date.now(), index++)), 1000);
  process.stdout.write(`${site.url}\n`);
}
