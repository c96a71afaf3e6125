import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClusterFile, readClusterFile } from '#cli/cluster-file.ts';
import { isAlive } from '#cli/supervisor/identity.ts';
import type { RunningCluster } from '#cli/supervisor/mod.ts';
import { startFakeCluster } from './fake-cluster.ts';

let dataDir = '';
const running: RunningCluster[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'logweir-up-'));
});
afterEach(async () => {
  for (const cluster of running.splice(0)) {
    cluster.stop();
    await cluster.ended;
  }
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: Parameters<typeof startFakeCluster>[1] = {}): Promise<RunningCluster> {
  const cluster = await startFakeCluster(dataDir, options);
  running.push(cluster);
  return cluster;
}

const file = (): ClusterFile => readClusterFile(dataDir) as ClusterFile;
const alive = (of: ClusterFile): string[] =>
  Object.entries(of.processes)
    .filter(([, p]) => isAlive(p))
    .map(([name]) => name);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

const everything = [
  'nats-server',
  'redis-server',
  'storage',
  'coordinator',
  'worker-1',
  'worker-2',
  'alerting',
  'gateway',
];

describe('a supervised cluster', () => {
  it('starts everything, tells where it is, and ends it in order', async () => {
    const cluster = await start();
    const before = file();
    expect(Object.keys(before.processes).toSorted()).toEqual(everything.toSorted());
    expect(alive(before)).toHaveLength(everything.length);
    expect(before.urls).toEqual(cluster.urls);
    expect(before.processes['worker-1']?.facts).toEqual({
      role: 'worker',
      natsUrl: cluster.urls.nats,
      clickhouseUrl: cluster.urls.clickhouse,
    });
    expect(before.processes['storage']?.facts).not.toHaveProperty('clickhouseUrl');

    cluster.stop();
    await cluster.ended;
    expect(alive(before)).toEqual([]);
    expect(existsSync(join(dataDir, 'cluster.json'))).toBe(false);
    const order = readFileSync(join(dataDir, 'order.log'), 'utf8').trim().split('\n');
    expect(order.slice(0, 6).at(-1)).toBe('start gateway');
    const stops = order.filter((line) => line.startsWith('stop ')).map((line) => line.slice(5));
    expect(stops[0]).toBe('gateway');
    expect(stops.slice(1, 3).toSorted()).toEqual(['worker-1', 'worker-2']);
    expect(stops.slice(3)).toEqual(['storage', 'alerting', 'coordinator']);

    await start();
    expect(alive(file())).toHaveLength(everything.length);
  });

  it('starts a crashed role again, and the rest goes on', async () => {
    const said: string[] = [];
    await start({ said });
    const before = file().processes;
    writeFileSync(join(dataDir, 'worker-1.crash'), '');
    await until(() => said.some((line) => line.startsWith('worker-1 ended with code 1; starts again')));
    await until(() => said.filter((line) => line.startsWith('worker-1 ready')).length === 2);
    expect(file().processes['worker-1']?.pid).not.toBe(before['worker-1']?.pid);
    expect(file().processes['worker-2']).toEqual(before['worker-2']);
    expect(readFileSync(join(dataDir, 'logs/worker-1.log'), 'utf8')).toContain('crashed as asked');
  });

  it('starts a killed server again on its port', async () => {
    const said: string[] = [];
    await start({ said });
    process.kill(file().processes['nats-server']?.pid as number, 'SIGKILL');
    await until(() => said.filter((line) => line.startsWith('nats-server ready')).length === 2);
    expect(said).toContain('nats-server was ended by SIGKILL; starts again in 0.25 s');
  });

  it('ends a start that a role refuses, with the sentence of that role, and leaves nothing running', async () => {
    writeFileSync(join(dataDir, 'coordinator.refuse'), '');
    await expect(start()).rejects.toMatchObject({
      code: 'SERVER_START_FAILED',
      message: 'coordinator ended with code 2: The sky is green.',
      remedy: 'Paint it blue.',
    });
    expect(existsSync(join(dataDir, 'cluster.json'))).toBe(false);
    await start();
  });

  it('refuses a data directory that another cluster uses, and one that cannot be written', async () => {
    await start();
    await expect(startFakeCluster(dataDir)).rejects.toMatchObject({
      code: 'DATA_DIR_IN_USE',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
    const blocked = join(dataDir, 'file');
    writeFileSync(blocked, '');
    await expect(startFakeCluster(join(blocked, 'below'))).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' });
  });

  it('can be stopped while it starts', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 60);
    const cluster = await start({ signal: controller.signal });
    await cluster.ended;
    expect(existsSync(join(dataDir, 'cluster.json'))).toBe(false);
  });

  it('leaves no role behind when the supervisor is killed, and the next start ends its servers', async () => {
    const driver = spawn(process.execPath, [resolve(import.meta.dirname, 'driver.ts'), dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(driver.stdout, 'data');
    const left = file();
    driver.kill('SIGKILL');
    await until(() => alive(left).every((name) => name.endsWith('-server')));
    expect(alive(left).toSorted()).toEqual(['nats-server', 'redis-server']);
    const said: string[] = [];
    await start({ said });
    expect(said[0]).toBe('Ended what a killed Logweir left running: nats-server, redis-server.');
    expect(alive(left)).toEqual([]);
    expect(alive(file())).toHaveLength(everything.length);
  });
});
