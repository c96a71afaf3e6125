/**
 * kill -9 of `logweir ingest --follow` at random moments, under rotation: each line that was written is on the stream, and
 * none is there twice once the partition has dropped what came again. Lines of traces too, which are folded into the
 * record before them and may come later than it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bus, connectNats, openCluster } from '#bus/mod.ts';
import { TempNats } from '#bus/testing/nats-server.ts';
import { Random } from '#generator/mod.ts';
import { partitionOfSubject, streams } from '#protocol/mod.ts';
import { Partition } from '#workers/mod.ts';

const partitions = 4;
const kills = 12;
const seed = 7;
/** A last line without an end is waited for a minute. */
const lastLinesMs = 180_000;
const root = resolve(import.meta.dirname, '../..');

let nats: TempNats;
let bus: Bus;
const directory = mkdtempSync(join(tmpdir(), 'logweir-follow-'));
const logs = join(directory, 'logs');

beforeAll(async () => {
  nats = await TempNats.start();
  bus = await connectNats({ url: nats.url, name: 'test' });
  await openCluster(bus, { partitions });
});
afterAll(async () => {
  await bus.close();
  await nats.end();
  rmSync(directory, { recursive: true });
});

interface Following {
  child: ChildProcess;
  said: string[];
}

function startFollowing(): Following {
  const args = ['cli/main.ts', 'ingest', '--follow', logs, '--data-dir', join(directory, 'data')];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NATS_URL: nats.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stdout?.on('data', (data: Buffer) => said.push(data.toString()));
  child.stderr?.on('data', (data: Buffer) => said.push(data.toString()));
  return { child, said };
}

/** Writes and rotates like four applications. */
class Applications {
  written = 0;
  rotations = 0;
  halfLines = true;
  private readonly random = new Random(seed);
  private readonly names = ['shop.log', 'pay.log', 'mail.log', 'cart.log'];
  private halves = new Map<string, string>();

  step(): void {
    const name = this.random.pick(this.names);
    const path = join(logs, name);
    const roll = this.random.next();
    appendFileSync(path, this.halves.get(name) ?? '');
    this.halves.delete(name);
    if (roll < 0.03) {
      try {
        // Its last line may have no end, and is waited for a minute.
        if (this.halfLines && this.random.next() < 0.3) appendFileSync(path, this.record());
        renameSync(path, `${path}.${++this.rotations}`);
      } catch {
        // There is none yet.
      }
      return;
    }
    if (roll < 0.2) {
      const lines = `${this.record()}\n`;
      const at = 1 + this.random.below(lines.length - 1);
      appendFileSync(path, lines.slice(0, at));
      this.halves.set(name, lines.slice(at));
    } else if (roll < 0.3) appendFileSync(path, `\tat com.example.Cart.put(Cart.java:${++this.written}#)\n`);
    else for (let i = this.random.below(12); i >= 0; i--) appendFileSync(path, `${this.record()}\n`);
  }

  private record(): string {
    const at = new Date(1_790_000_000_000 + this.written * 7).toISOString();
    return this.random.next() < 0.1
      ? `${at} ERROR broken order :${++this.written}#\njava.lang.IllegalStateException: no stock :${++this.written}#`
      : `${at} INFO order :${++this.written}# taken`;
  }

  finish(): void {
    for (const [name, half] of this.halves) appendFileSync(join(logs, name), half);
    this.halves.clear();
  }
}

/** How often each line stands on the stream, as partitions take it; and what they dropped. */
async function counted(): Promise<{ seen: Map<number, number>; duplicates: number }> {
  const seen = new Map<number, number>();
  const states = Array.from({ length: partitions }, (_, partition) => new Partition(partition));
  const { lastSequence } = await bus.streams.info(streams.logs);
  let duplicates = 0;
  if (lastSequence === 0) return { seen, duplicates };
  const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
  for await (const message of subscription) {
    const { section } = (states[partitionOfSubject(message.subject)] as Partition).step(message);
    duplicates += section.duplicates;
    if (section.batch !== null)
      for (const [, token] of Buffer.from(section.batch.body)
        .toString('latin1')
        .matchAll(/:(\d+)#/g))
        seen.set(Number(token), (seen.get(Number(token)) ?? 0) + 1);
    if (message.sequence === lastSequence) break;
  }
  await subscription.stop();
  return { seen, duplicates };
}

it('brings every line of rotated files once, though its process is killed again and again', async () => {
  mkdirSync(logs);
  const applications = new Applications();
  const random = new Random(seed + 1);
  const writing = setInterval(() => applications.step(), 12);
  try {
    for (let kill = 0; kill < kills; kill++) {
      applications.halfLines = kill < kills / 3;
      const { child } = startFollowing();
      const exited = once(child, 'exit');
      // A process that is still starting has nothing to lose: some of them are killed there, too.
      const { lastSequence } = await bus.streams.info(streams.logs);
      const untilMs = Date.now() + (kill % 4 === 3 ? random.below(2_000) : 15_000);
      while ((await bus.streams.info(streams.logs)).lastSequence === lastSequence && Date.now() < untilMs)
        await sleep(10);
      await sleep(random.below(1_200));
      child.kill('SIGKILL');
      await exited;
      if (random.next() < 0.3) await sleep(random.below(800));
    }
  } finally {
    clearInterval(writing);
  }
  applications.finish();
  const last = startFollowing();
  const all = applications.written;
  const untilMs = Date.now() + lastLinesMs;
  while ((await counted()).seen.size < all && Date.now() < untilMs) await sleep(500);
  const exited = once(last.child, 'exit');
  last.child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  const { seen, duplicates } = await counted();
  const twice = [...seen].filter(([, times]) => times > 1);
  console.info(
    `${all} lines, ${applications.rotations} rotations, ${kills} kills: ${duplicates} repeats dropped, ${twice.length} lines twice.`,
  );
  const missing = Array.from({ length: all }, (_, i) => i + 1).filter((token) => !seen.has(token));
  expect({ missing, twice, said: last.said.slice(0, -1) }).toEqual({ missing: [], twice: [], said: [] });
  expect(duplicates).toBeGreaterThan(0);
}, 600_000);
