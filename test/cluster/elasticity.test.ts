/** Leaders and workers come, go, die and stand still while logs flow; afterwards nothing is lost and all of it equal. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signalKnown } from '#cli/supervisor/identity.ts';
import { ndjson, traffic } from './data.ts';
import { Cluster, logweir, until } from './start.ts';
import { Watch } from './watch.ts';

/** On a free machine it takes 3 to 4 s, on one with a load of 20 ten times that. */
const takeoverMsMax = 60_000;

const cluster = new Cluster(2);
let watch: Watch;
let accepted = 0;
const flow = { over: false, done: Promise.resolve() };

/** Posts all the time, as shippers do, until `flow.over`. */
async function pour(): Promise<void> {
  for (let i = 0; !flow.over; i++) {
    const body = ndjson(traffic({ seed: 500 + i, fromMs: Date.now() - 1_000, seconds: 1, ratePerSecond: 60 }));
    accepted += (await cluster.deliver(body, `flow-${i}`)).accepted;
    await sleep(100);
  }
}

beforeAll(async () => {
  await cluster.start();
  watch = await Watch.on(cluster.file.urls.nats);
  flow.done = pour();
});
beforeEach(() => cluster.showLogsOnFailure());
afterAll(async () => {
  flow.over = true;
  await flow.done;
  await watch.close();
  await cluster.destroy();
});

const told = (what: string, ms: number): void => void process.stderr.write(`  measured: ${what} ${ms} ms\n`);

interface Scaled {
  from: number;
  to: number;
  started: string[];
  draining: string[];
  moved: number;
  workers: { id: string; partitions: number }[];
}

async function scale(workers: number): Promise<Scaled> {
  const { status, stdout, stderr } = await cluster.logweir(['scale', String(workers), '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Scaled;
}

describe('leaders', () => {
  const standbys: ChildProcess[] = [];

  it('takes over from one that stands still, while records are processed on, and harms nothing when it wakes', async () => {
    for (const id of ['standby-1', 'standby-2'])
      standbys.push(await cluster.join('coordinator', id, { LOGWEIR_PORTS_API: '0' }));
    expect(await watch.leader()).toBe('coordinator');
    const before = await watch.assignment();
    const known = cluster.file.processes['coordinator'];
    if (known === undefined) throw new Error('the coordinator does not run');
    signalKnown(known, 'SIGSTOP');
    const frozenMs = Date.now();
    const records = watch.records();
    const { leader } = await watch.takeover('coordinator');
    const ms = Date.now() - frozenMs;
    told('a frozen leader was replaced after', ms);
    expect(ms).toBeLessThan(takeoverMsMax);
    // Workers need no leader.
    await until(() => watch.records() > records + 50, 'records to be processed');
    expect(standbys.map((child) => child.spawnargs.includes(leader))).toContain(true);

    // Nobody's partitions moved for it, and the zombie changes nothing when it wakes.
    await until(async () => (await watch.leader()) === leader, 'the leader to be known');
    signalKnown(known, 'SIGCONT');
    await sleep(3_000);
    expect(await watch.leader()).toBe(leader);
    const after = await watch.assignment();
    expect(after.owners).toEqual(before.owners);
  });

  it('takes over from one that was killed, in seconds', async () => {
    const leader = (await watch.leader()) as string;
    const child = standbys.find(({ spawnargs }) => spawnargs.includes(leader)) as ChildProcess;
    child.kill('SIGKILL');
    const { leader: next, ms } = await watch.takeover(leader);
    told('a killed leader was replaced after', ms);
    expect(next).not.toBe(leader);
    expect(ms).toBeLessThan(takeoverMsMax);
    for (const standby of standbys) standby.kill('SIGTERM');
    await until(async () => (await watch.leader()) === 'coordinator', 'the coordinator of the supervisor to lead');
  });
});

describe('workers', () => {
  it('takes in a worker that joins by the data directory, and gives its partitions to others when it is killed', async () => {
    const child = await cluster.join('worker', 'guest');
    await until(async () => watch.owned('guest', await watch.assignment()).length > 0, 'the guest to get partitions');
    await until(
      () => (watch.workers.get('guest')?.beat.partitions ?? []).some(({ sequence }) => sequence > 0),
      'the guest to work',
    );
    const partitions = watch.owned('guest', await watch.assignment());
    expect(partitions.length).toBeGreaterThan(10);
    child.kill('SIGKILL');
    const ms = await watch.healed(partitions, 'guest');
    told(`${partitions.length} partitions of a killed worker were processed elsewhere after`, ms);
    expect(ms).toBeLessThan(takeoverMsMax);
  });

  it('hands everything over on SIGTERM', async () => {
    const child = await cluster.join('worker', 'guest-2');
    await until(
      async () => watch.owned('guest-2', await watch.assignment()).length > 10,
      'the guest to get partitions',
    );
    await sleep(1_000);
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    const startedMs = Date.now();
    expect((await closed)[0]).toBe(0);
    told('a worker drained in', Date.now() - startedMs);
    await until(async () => watch.owned('guest-2', await watch.assignment()).length === 0, 'its partitions to move');
  });

  it('scales up and down while logs flow', async () => {
    const up = await scale(4);
    expect(up).toMatchObject({ from: 2, to: 4, started: ['worker-3', 'worker-4'], draining: [] });
    expect(up.workers.map(({ id }) => id)).toEqual(['worker-1', 'worker-2', 'worker-3', 'worker-4']);
    for (const { partitions } of up.workers) expect(partitions).toBeGreaterThan(0);
    expect(up.moved).toBeGreaterThan(0);
    const same = await scale(4);
    expect(same).toMatchObject({ from: 4, to: 4, started: [], draining: [] });
    const down = await scale(1);
    expect(down).toMatchObject({ from: 4, to: 1, started: [], draining: ['worker-2', 'worker-3', 'worker-4'] });
    expect(down.workers).toEqual([expect.objectContaining({ id: 'worker-1', partitions: 64 })]);
    expect(Object.keys(cluster.file.processes).filter((name) => name.startsWith('worker'))).toEqual(['worker-1']);
    await scale(2);
  });

  it('refuses what cannot be', async () => {
    for (const [args, message] of [
      [['0'], 'a whole number from 1 to 64, not "0"'],
      [['65'], 'a whole number from 1 to 64, not "65"'],
      [['many'], 'a whole number from 1 to 64, not "many"'],
    ] as const) {
      const { status, stderr } = await cluster.logweir(['scale', ...args]);
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) as string });
    }
    const nowhere = await logweir(['scale', '2', '--data-dir', tmpdir()]);
    expect(nowhere).toMatchObject({ status: 1, stderr: expect.stringContaining('No cluster runs on') as string });
    const elsewhere = await logweir(['scale', '2', '--data-dir', tmpdir()], {
      env: { NATS_URL: cluster.file.urls.nats },
    });
    expect(elsewhere).toMatchObject({ status: 1, stderr: expect.stringContaining('"logweir worker"') as string });
  });
});

describe('afterwards', () => {
  it('has every record once, equal to a one-process fold of the stream', async () => {
    flow.over = true;
    await flow.done;
    expect(await cluster.settled(accepted)).toBe(accepted);
    const verified = await cluster.logweir(['verify', '--json']);
    const verdict = JSON.parse(verified.stdout) as { equal: boolean; compared: { examples: string[] }[] };
    expect(verdict.compared.flatMap((one) => one.examples)).toEqual([]);
    expect({ status: verified.status, equal: verdict.equal }).toEqual({ status: 0, equal: true });
    const reconciled = await cluster.logweir(['reconcile', '--json']);
    expect({ status: reconciled.status, ...JSON.parse(reconciled.stdout) }).toMatchObject({
      status: 0,
      balanced: true,
    });
  });
});
