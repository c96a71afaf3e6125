import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import { encodeResults, streamSubjects, streams, subjects } from '#protocol/mod.ts';
import { Queries } from './queries/mod.ts';
import { startStorage } from './role.ts';
import { makeSection } from './testing/sections.ts';

vi.setConfig({ testTimeout: 60_000 });

/** As expect.poll, with time for a machine that has other things to do. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 20_000, interval: 10 });

it('stores, serves, ends, and finds everything when it starts again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'logweir-role-'));
  const bus = new MemoryBus(Date.now);
  for (const name of [streams.results, streams.alerts]) {
    await bus.streams.ensure({
      name,
      subjects: [streamSubjects[name]],
      bytesMax: 1e9,
      replicas: 1,
      duplicateWindowMs: 1,
    });
  }
  const retention = { logsDays: 10_000, findingsDays: 10_000, rollupsDays: 10_000 };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const start = (engine: Parameters<typeof startStorage>[0]['engine']) =>
    startStorage({ bus, engine, retention, time: systemTime, log, writer: { lingerMs: 10, lingerMaxMs: 10 } });
  const publish = (from: number): Promise<unknown> =>
    bus.streams.publish(
      subjects.results(1),
      encodeResults({
        partition: 1,
        generation: 1,
        from,
        to: from + 1,
        toMs: 1,
        anomaliesTo: 0,
        sections: [makeSection({ sequence: from + 1, rows: 20, startMs: 1_750_000_000_000 })],
        part: null,
      }),
    );
  const stored = async (url: string): Promise<number> => (await Queries.overUrl(url).reconcile())[0]?.storedRows ?? 0;

  const first = await start({ directory, serve: { port: 0 } });
  await publish(0);
  await publish(1);
  await soon(() => stored(first.url)).toBe(40);
  await publish(2);
  await first.drain();
  await first.done;

  const second = await start({ directory, serve: { port: 0, writable: true } });
  expect(await stored(second.url)).toBe(60);
  await second.writer.drain();
  // The same role over a server's URL: here our own HTTP face, with writing allowed.
  const third = await start({ url: second.url });
  await publish(3);
  await soon(() => stored(third.url)).toBe(80);
  await third.drain();
  await second.drain();
  await expect(
    startStorage({ bus, engine: { url: 'http://127.0.0.1:9' }, time: systemTime, log, waitMs: 0 }),
  ).rejects.toMatchObject({ code: 'CLICKHOUSE_UNAVAILABLE' });
  rmSync(directory, { recursive: true, force: true });
});
