import { Queue } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { systemTime } from '#bus/mod.ts';
import { parseAlertingConfig } from '../config/mod.ts';
import type { Notification } from '../core/types.ts';
import { configOf, Play, type Server, startReceiver, startRedis, until } from '../testing/fixtures.ts';
import { DeliveryError } from './channel.ts';
import { openChannel } from './open.ts';
import { backoffOf, DeliveryQueue, queueNameDefault } from './queue.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redisServer(keeps = false): Promise<Server> {
  const redis = await startRedis(keeps);
  ends.push(() => redis.end());
  return redis;
}

async function receiver(...args: Parameters<typeof startReceiver>): ReturnType<typeof startReceiver> {
  const started = await startReceiver(...args);
  ends.push(() => started.end());
  return started;
}

/** Notifications about different services, as the core makes them. */
function notifications(count: number): Notification[] {
  const play = new Play(configOf({ scoreMin: 0 }));
  for (let i = 0; i < count; i++) play.find(i, { service: `s${i}` });
  return play.notifications;
}

class Harness {
  readonly outbox = new Map<string, Notification>();
  readonly delivered: string[] = [];
  readonly failed: string[] = [];
  readonly lines: string[] = [];
  readonly queue: DeliveryQueue;

  constructor(redisPort: number, url: string, delivery: Record<string, number> = {}) {
    const config = parseAlertingConfig({
      channels: [{ name: 'hook', type: 'webhook', url, timeoutMs: 500 }],
      delivery: { backoffMs: 10, attempts: 5, ...delivery },
    });
    this.queue = new DeliveryQueue({
      redisUrl: `redis://127.0.0.1:${redisPort}`,
      channels: config.channels.map((channel) => openChannel(channel, 'http://page', Date.now)),
      delivery: config.delivery,
      time: systemTime,
      log: (line) => this.lines.push(line),
      outbox: () => this.outbox,
      onQueued: () => {},
      onDelivered: ({ id }) => {
        this.outbox.delete(id);
        this.delivered.push(id);
      },
      onFailed: ({ id }, attempts, error) => {
        this.outbox.delete(id);
        this.failed.push(`${id} ${attempts} ${error}`);
      },
    });
    ends.push(() => this.queue.stop());
  }

  put(...all: Notification[]): void {
    for (const one of all) {
      this.outbox.set(one.id, one);
      this.queue.put(one);
    }
  }
}

describe('delivery queue', () => {
  it('delivers each notification once, however often it is put', async () => {
    const redis = await redisServer();
    const hook = await receiver();
    const harness = new Harness(redis.port, hook.url);
    const [one, two] = notifications(2) as [Notification, Notification];
    await until('Redis', () => harness.queue.connected);
    harness.put(one, two, one);
    await until('deliveries', () => harness.delivered.length === 2);
    harness.put(one);
    await harness.queue.stop();
    const keys = hook.received.map(({ headers }) => String(headers['idempotency-key']));
    expect(keys).toHaveLength(2);
    expect(new Set(keys)).toEqual(new Set([one.id, two.id]));
  });

  it('is not told twice across a restart: a finished job is recognised and leaves the outbox', async () => {
    const redis = await redisServer();
    const hook = await receiver();
    const [one] = notifications(1) as [Notification];
    const first = new Harness(redis.port, hook.url);
    first.put(one);
    await until('delivery', () => first.delivered.length === 1);
    await first.queue.stop();
    // As after a crash before the checkpoint: the restored outbox still holds it.
    const second = new Harness(redis.port, hook.url);
    second.put(one);
    const queue = new Queue(queueNameDefault, { connection: { port: redis.port } });
    ends.push(() => queue.close());
    await until('the job is looked up', () => second.outbox.size === 0);
    expect(await queue.getJobCounts('completed', 'waiting', 'active')).toEqual({ completed: 1, waiting: 0, active: 0 });
    expect(hook.received).toHaveLength(1);
  });

  it('tries again with growing waits, and succeeds', async () => {
    const redis = await redisServer();
    const hook = await receiver((nth) => (nth <= 3 ? { status: 503 } : { status: 200 }));
    const harness = new Harness(redis.port, hook.url);
    harness.put(...notifications(1));
    await until('delivery', () => harness.delivered.length === 1);
    expect(hook.received).toHaveLength(4);
    expect(harness.queue.counts.retries).toBe(3);
    expect(harness.failed).toEqual([]);
  });

  it('gives up after the attempts allowed, and says why', async () => {
    const redis = await redisServer();
    const hook = await receiver(() => ({ status: 500, body: 'no disk' }));
    const harness = new Harness(redis.port, hook.url, { attempts: 3 });
    const [one] = notifications(1) as [Notification];
    harness.put(one);
    await until('failure', () => harness.failed.length === 1);
    expect(harness.failed[0]).toMatch(new RegExp(`^${one.id} 3 127\\.0\\.0\\.1:\\d+ answered 500: no disk\\.$`));
    expect(hook.received).toHaveLength(3);
  });

  it('does not repeat what can never succeed', async () => {
    const redis = await redisServer();
    const hook = await receiver(() => ({ status: 404 }));
    const harness = new Harness(redis.port, hook.url);
    harness.put(...notifications(1));
    await until('failure', () => harness.failed.length === 1);
    expect(hook.received).toHaveLength(1);
  });

  it('waits as long as the other side asks', async () => {
    const redis = await redisServer();
    const hook = await receiver((nth) =>
      nth === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 200 },
    );
    const harness = new Harness(redis.port, hook.url);
    harness.put(...notifications(1));
    await until('delivery', () => harness.delivered.length === 1);
    const [first, second] = hook.received;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it('tries again where no answer comes in time', async () => {
    const redis = await redisServer();
    const hook = await receiver((nth) => (nth === 1 ? 'hang' : { status: 200 }));
    const harness = new Harness(redis.port, hook.url);
    harness.put(...notifications(1));
    await until('delivery', () => harness.delivered.length === 1);
    expect(harness.lines.join()).toMatch(/no answer within 500 ms/);
  });

  it.each([
    ['keeps', true],
    ['forgets', false],
  ])('survives a Redis that dies and %s its data', async (_what, keeps) => {
    const redis = await redisServer(keeps);
    let broken = true;
    const hook = await receiver(() => (broken ? { status: 503 } : { status: 200 }));
    const harness = new Harness(redis.port, hook.url, { attempts: 50, backoffMs: 200 });
    const all = notifications(6);
    await until('Redis', () => harness.queue.connected);
    harness.put(...all.slice(0, 3));
    await until('attempts', () => hook.received.length >= 3);
    await redis.kill();
    await until('the loss is noticed', () => !harness.queue.connected);
    harness.put(...all.slice(3));
    expect(harness.delivered).toEqual([]);
    broken = false;
    await redis.start();
    await until('deliveries', () => harness.outbox.size === 0);
    expect(harness.delivered.toSorted()).toEqual(all.map(({ id }) => id).toSorted());
    expect(harness.failed).toEqual([]);
    const spoken = harness.lines.filter((line) => line.startsWith('Redis'));
    expect(spoken).toEqual([
      'Redis does not answer; notifications wait until it does.',
      'Redis answers again; what waits is delivered now.',
    ]);
  });

  it('starts while Redis is away, and delivers when it comes', async () => {
    const redis = await redisServer();
    await redis.kill();
    const hook = await receiver();
    const harness = new Harness(redis.port, hook.url);
    harness.put(...notifications(2));
    await until('a complaint', () => harness.lines.length > 0);
    await redis.start();
    await until('deliveries', () => harness.delivered.length === 2);
    expect(hook.received).toHaveLength(2);
  });

  it('stops while Redis is away', async () => {
    const redis = await redisServer();
    const hook = await receiver();
    const harness = new Harness(redis.port, hook.url);
    await until('Redis', () => harness.queue.connected);
    await redis.kill();
    await until('the loss is noticed', () => !harness.queue.connected);
    await expect(harness.queue.stop()).resolves.toBeUndefined();
  });
});

describe('backoff', () => {
  it('doubles, is bounded, and heeds Retry-After within bounds', () => {
    expect([1, 2, 3, 4].map((made) => backoffOf(1_000, made, new Error('x')))).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(backoffOf(1_000, 40, new Error('x'))).toBe(300_000);
    expect(backoffOf(1_000, 1, new DeliveryError('x', { retryAfterMs: 30_000 }))).toBe(30_000);
    expect(backoffOf(1_000, 1, new DeliveryError('x', { retryAfterMs: 1e12 }))).toBe(900_000);
  });
});
