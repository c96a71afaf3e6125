/** A cluster whose NATS is wiped while ClickHouse keeps what was stored: the next one repeats no position of it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectNats, readFacts } from '#bus/mod.ts';
import { buckets } from '#protocol/mod.ts';
import { type KnownProcess, signalKnown } from '#cli/supervisor/identity.ts';
import { ndjson, traffic } from './data.ts';
import { Cluster, until } from './start.ts';

const cluster = new Cluster(1);
let posts = 0;
let stored = 0;

beforeAll(() => cluster.start());
beforeEach(() => cluster.showLogsOnFailure());
afterAll(() => cluster.destroy());

/** Posts and waits until all of it, and of what was posted before, is stored, once. */
async function postAndStore(): Promise<void> {
  const body = ndjson(traffic({ seed: ++posts, fromMs: Date.now() - 5_000, seconds: 5, ratePerSecond: 60 }));
  stored += (await cluster.deliver(body, `post-${posts}`)).accepted;
  expect(await cluster.settled(stored)).toBe(stored);
}

async function generations(): Promise<number[]> {
  const rows = await cluster.rows<{ g: number }>('SELECT DISTINCT Generation AS g FROM logweir.otel_logs ORDER BY g');
  return rows.map(({ g }) => g);
}

describe('a cluster wiped from NATS', () => {
  it('goes on in a later generation, beside what was stored', async () => {
    await postAndStore();
    await cluster.stop();
    rmSync(join(cluster.dataDir, 'nats'), { recursive: true });
    await cluster.start();
    await postAndStore();
    const [first, second, ...more] = await generations();
    expect(more).toEqual([]);
    expect(second).toBeGreaterThan(first as number);
    const bus = await connectNats({ url: cluster.file.urls.nats, name: 'test' });
    const facts = await readFacts(await bus.keyValue(buckets.cluster));
    await bus.close();
    expect(facts).toMatchObject({ generation: second, firstGeneration: second });
    const reconciled = await cluster.logweir(['reconcile']);
    expect({ status: reconciled.status, said: reconciled.stdout }).toEqual({
      status: 0,
      said: expect.stringContaining('partitions balance') as string,
    });
  });

  it('is noticed by roles that run, which join the new one', async () => {
    const before = Object.values(cluster.file.processes).map(({ pid }) => pid);
    // Not by deleting the streams: nats-server 2.9 gives up JetStream when a file it writes to is gone.
    signalKnown(cluster.file.processes['nats-server'] as KnownProcess, 'SIGKILL');
    rmSync(join(cluster.dataDir, 'nats', 'jetstream'), { recursive: true });
    await until(() => {
      const { processes } = cluster.file;
      return ['worker-1', 'coordinator', 'storage', 'alerting', 'gateway'].every(
        (name) => processes[name] !== undefined && !before.includes(processes[name].pid),
      );
    }, 'every role to start anew');
    expect(cluster.logs()).toContain('This cluster was made anew while this process ran');
    await postAndStore();
    expect(await generations()).toHaveLength(3);
  });
});
