import { afterEach, describe, expect, it } from 'vitest';
import { type Bus, connectNats, MemoryBus, systemTime } from '#bus/mod.ts';
import {
  type AlertTransition,
  type Anomaly,
  buckets,
  decodeAlerts,
  decodeMarks,
  encodeAnomalies,
  keys,
  streams,
  streamSubjects,
  subjects,
} from '#protocol/mod.ts';
import { parseAlertingConfig } from './config/mod.ts';
import type { WebhookBody } from './delivery/webhook.ts';
import { pauseAfter, type RunningAlerting, runAlerting } from './run.ts';
import {
  finding,
  type Received,
  type Server,
  startNats,
  startReceiver,
  startRedis,
  until,
} from './testing/fixtures.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A cluster of nothing but streams, Redis and a webhook. */
class Stage {
  readonly bus: Bus;
  readonly redis: Server;
  readonly received: Received[];
  readonly lines: string[] = [];
  private readonly url: string;
  private position = 0;

  constructor(bus: Bus, redis: Server, hook: { url: string; received: Received[] }) {
    this.bus = bus;
    this.redis = redis;
    this.url = hook.url;
    this.received = hook.received;
  }

  static async build(bus: Bus = new MemoryBus(Date.now)): Promise<Stage> {
    for (const name of [streams.anomalies, streams.alerts])
      await bus.streams.ensure({
        name,
        subjects: [streamSubjects[name]],
        bytesMax: 64 * 1024 * 1024,
        replicas: 1,
        duplicateWindowMs: 60_000,
      });
    const redis = await startRedis(true);
    ends.push(() => redis.end());
    const hook = await startReceiver();
    ends.push(() => hook.end());
    return new Stage(bus, redis, hook);
  }

  /** The clock of alerting is so far ahead of ours, ms. */
  aheadMs = 0;

  async run(over: Record<string, unknown> = {}): Promise<RunningAlerting> {
    const raw = {
      channels: [{ name: 'hook', type: 'webhook', url: this.url }],
      routes: [{ name: 'r', channels: ['hook'], groupBy: ['service'] }],
      delivery: { backoffMs: 20 },
      ...over,
    };
    const alerting = await runAlerting({
      bus: this.bus,
      redisUrl: `redis://127.0.0.1:${this.redis.port}`,
      config: parseAlertingConfig(raw),
      time: { ...systemTime, now: () => Date.now() + this.aheadMs },
      publicUrl: 'http://page:8080',
      checkpointEveryMs: 500,
      log: (line) => this.lines.push(line),
    });
    ends.push(() => alerting.stop());
    return alerting;
  }

  /** One message on ANOMALIES, chained to the one before. */
  async publish(...anomalies: Partial<Anomaly>[]): Promise<Uint8Array> {
    const from = this.position;
    const to = from + 10;
    const findings = anomalies.map(finding);
    const data = encodeAnomalies({
      partition: 3,
      generation: 1,
      from,
      to,
      anomalies: findings.map(({ anomaly }) => anomaly),
      receipts: findings.map(({ receipt }) => ({ ...receipt, processingMs: Date.now() })),
    });
    await this.bus.streams.publish(subjects.anomalies(3), data);
    this.position = to;
    return data;
  }

  /** As a server does that lost its disk's last writes. */
  loseTail(last: number): void {
    const { byName } = this.bus as unknown as {
      byName: Map<string, { messages: { sequence: number }[]; lastSequence: number }>;
    };
    const stream = byName.get(streams.anomalies) as never as { messages: { sequence: number }[]; lastSequence: number };
    stream.messages = stream.messages.filter(({ sequence }) => sequence <= last);
    stream.lastSequence = last;
  }

  bodies(): WebhookBody[] {
    return this.received.map(({ body }) => JSON.parse(body) as WebhookBody);
  }

  async transitions(): Promise<AlertTransition[]> {
    const { lastSequence } = await this.bus.streams.info(streams.alerts);
    const all: AlertTransition[] = [];
    if (lastSequence === 0) return all;
    const subscription = await this.bus.streams.consume(streams.alerts, { fromSequence: 1 });
    for await (const message of subscription) {
      all.push(...decodeAlerts(message.data).transitions);
      if (message.sequence === lastSequence) break;
    }
    await subscription.stop();
    return all;
  }

  async resumeFrom(): Promise<number> {
    const entry = await (await this.bus.keyValue(buckets.marks)).get(keys.alerting);
    return entry === null ? 0 : decodeMarks(entry.value).resumeFrom;
  }
}

describe('pauseAfter', () => {
  it('grows with the state, and not with an absence of NATS', () => {
    expect(pauseAfter(10, 5_000)).toBe(5_000);
    expect(pauseAfter(500, 5_000)).toBe(10_000);
    expect(pauseAfter(300_000, 5_000)).toBe(30_000);
  });
});

describe('alerting', () => {
  it('brings a finding to the webhook, the ALERTS stream, the live subject and the terminal', async () => {
    const stage = await Stage.build();
    const live: AlertTransition[] = [];
    stage.bus.listen(subjects.live.alerts, (data) => live.push(...decodeAlerts(data).transitions));
    const alerting = await stage.run();
    await stage.publish({}, { service: 'cart', score: 10 });
    await until('the webhook', () => stage.received.length === 1);
    expect(stage.bodies()).toMatchObject([
      {
        status: 'critical',
        title: 'checkout: 41 errors within 60 s, usually 2',
        url: 'http://page:8080/?service=checkout&anomaly=a0a1a2a3a4a5a6a7',
        alerts: [{ service: 'checkout', actual: 41, typical: 2, samples: ['connection to db-1 refused'] }],
      },
    ]);
    const transitions = await stage.transitions();
    expect(transitions).toMatchObject([{ state: 'firing', service: 'checkout', channels: ['hook'], transition: 1 }]);
    expect(live).toEqual(transitions);
    expect(stage.lines).toContain('ALERT critical checkout: 41 errors within 60 s, usually 2 (error_spike, score 80)');
    await until('the end of the delivery', () => alerting.metrics().counters['delivered'] === 1);
    const { counters, latency } = alerting.metrics();
    expect(counters).toMatchObject({ anomalies: 2, belowScore: 1, firingNow: 1, waitingNow: 0, redisConnectedNow: 1 });
    expect([latency.decided.count, latency.queued.count, latency.delivered.count]).toEqual([1, 1, 1]);
    expect(alerting.latencyText()).toContain('logweir_alerting_latency_ms_count{station="delivered"} 1\n');
  });

  it('commits what it has read, and after a restart tells nothing twice and folds on', async () => {
    const stage = await Stage.build();
    const first = await stage.run();
    await stage.publish({});
    await until('the webhook', () => stage.received.length === 1);
    await first.stop();
    expect(await stage.resumeFrom()).toBe(2);
    const second = await stage.run();
    await stage.publish({ score: 81 });
    await until('the finding', () => second.metrics().counters['anomalies'] === 2);
    await second.stop();
    expect(stage.received).toHaveLength(1);
    expect(second.metrics().counters).toMatchObject({ firingNow: 1, fired: 1, notifications: 1 });
    expect(await stage.transitions()).toHaveLength(1);
  });

  it('after a crash before the checkpoint decides the same again, and people are told once', async () => {
    const stage = await Stage.build();
    const marks = await stage.bus.keyValue(buckets.marks);
    const crashed = await stage.run();
    await stage.publish({});
    await until('the webhook', () => stage.received.length === 1);
    await crashed.stop();
    // As if the checkpoint had never been written.
    await marks.delete(keys.alerting);
    const next = await stage.run();
    await until('the replay', () => next.metrics().counters['anomalies'] === 1);
    // A restart after that finds the notification in the outbox and its job finished.
    await next.stop();
    const last = await stage.run();
    await until('an empty outbox', () => last.metrics().counters['waitingNow'] === 0);
    expect(stage.received).toHaveLength(1);
    const transitions = await stage.transitions();
    expect(transitions).toHaveLength(2);
    expect(transitions[1]).toEqual(transitions[0]);
  });

  it('keeps alerts through an absence of Redis', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run();
    await until('Redis', () => alerting.metrics().counters['redisConnectedNow'] === 1);
    await stage.redis.kill();
    await until('its loss', () => alerting.metrics().counters['redisConnectedNow'] === 0);
    await stage.publish({}, { service: 'cart' });
    await until('the decision', () => alerting.metrics().counters['waitingNow'] === 2);
    await alerting.stop();
    const next = await stage.run();
    expect(next.metrics().counters['waitingNow']).toBe(2);
    await stage.redis.start();
    await until('the webhook', () => stage.received.length === 2);
    await until('an empty outbox', () => next.metrics().counters['waitingNow'] === 0);
  });

  it('resolves after quiet time by ticks, and tells so', async () => {
    const stage = await Stage.build();
    await stage.run({ resolveAfterMs: 1_000, routes: [{ name: 'r', channels: ['hook'], groupIntervalMs: 0 }] });
    await stage.publish({});
    await until('the end', () => stage.received.length === 2);
    expect(stage.bodies().map(({ reason, status }) => `${reason} ${status}`)).toEqual([
      'firing critical',
      'resolved resolved',
    ]);
    const [fired, resolved] = await stage.transitions();
    expect((resolved?.atMs ?? 0) - (fired?.atMs ?? 0)).toBe(1_000);
    expect(resolved).toMatchObject({ alertId: fired?.alertId, transition: 2, state: 'resolved' });
  });

  it('drops repeats, sets broken messages aside, and goes on', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run();
    const data = await stage.publish({});
    await stage.bus.streams.publish(subjects.anomalies(3), data);
    await stage.bus.streams.publish(subjects.anomalies(3), new Uint8Array([1, 2, 3, 4, 5]));
    await stage.publish({ service: 'cart' });
    await until('the second webhook', () => stage.received.length === 2);
    expect(alerting.metrics().counters).toMatchObject({ messages: 4, duplicates: 1, malformed: 1, anomalies: 2 });
  });

  it('takes no stream for another by an answer that is older than what was read meanwhile', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run();
    const { info } = stage.bus.streams;
    let asked = 0;
    stage.bus.streams.info = async (stream) => {
      const answer = await info(stream);
      if (stream !== streams.anomalies) return answer;
      const { messages = 0 } = alerting.metrics().counters;
      await stage.publish({ service: `s${asked++}` });
      await until('the message to be read', () => (alerting.metrics().counters['messages'] ?? 0) > messages);
      return answer;
    };
    await until('three looks', () => asked > 2);
    stage.bus.streams.info = info;
    expect(stage.lines.filter((line) => line.includes('read from its beginning'))).toEqual([]);
  });

  it('reads again from the beginning what lost its tail and grew again while it was looked at', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run();
    for (const service of ['a', 'b', 'c']) await stage.publish({ service });
    await until('all three', () => stage.received.length === 3);
    const { info } = stage.bus.streams;
    stage.bus.streams.info = async (stream) => {
      const answer = await info(stream);
      if (stream === streams.anomalies && answer.lastSequence === 1)
        for (const service of ['d', 'e', 'f']) await stage.publish({ service });
      return answer;
    };
    stage.loseTail(1);
    await until('what came after', () => stage.received.length === 6);
    expect(alerting.metrics().counters).toMatchObject({ anomalies: 6, gapsPassed: 0 });
    expect(stage.lines).toContain(
      'The ANOMALIES stream ends at 1, but was read up to 3. It is read from its beginning.',
    );
  });

  it('reads again from the beginning what lost its tail and grew again before it was looked at', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run();
    for (const service of ['a', 'b', 'c']) await stage.publish({ service });
    await until('all three', () => stage.received.length === 3);
    stage.loseTail(1);
    for (const service of ['d', 'e', 'f']) await stage.publish({ service });
    await until('the gap', () => alerting.metrics().counters['gaps'] === 1);
    stage.aheadMs = 20_000;
    await until('what came after', () => stage.received.length === 6);
    expect(alerting.metrics().counters).toMatchObject({ anomalies: 6, gapsPassed: 0 });
  });

  it('obeys silences of the configuration, and forgets those taken out of it', async () => {
    const stage = await Stage.build();
    const silences = [{ name: 'deploy', match: { service: 'check*' }, until: '2200-01-01T00:00:00Z' }];
    const first = await stage.run({ silences });
    await stage.publish({});
    await until('the finding', () => first.metrics().counters['suppressed'] === 1);
    await first.stop();
    expect(stage.received).toHaveLength(0);
    await stage.run();
    await until('the webhook', () => stage.received.length === 1);
  });

  it('without channels records and prints', async () => {
    const stage = await Stage.build();
    const alerting = await stage.run({ channels: [], routes: [] });
    await stage.publish({});
    await until('the alert', () => alerting.metrics().counters['firingNow'] === 1);
    expect(stage.lines).toEqual([
      'No alert channel is configured: alerts are printed here and shown on the page.',
      expect.stringMatching(/^ALERT critical checkout: /),
    ]);
    await until('the transition', async () => (await stage.transitions()).length === 1);
    expect((await stage.transitions())[0]).toMatchObject({ channels: [], suppressedBy: '' });
  });

  it('gives way to a process that took over', async () => {
    const stage = await Stage.build();
    const old = await stage.run();
    await stage.publish({});
    await until('the webhook', () => stage.received.length === 1);
    await until('a checkpoint', async () => (await stage.resumeFrom()) > 0);
    await stage.run();
    await stage.publish({ service: 'cart' });
    await expect(old.failed).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    await until('the second webhook', () => stage.received.length === 2);
  });

  it('over a real NATS server', async () => {
    const nats = await startNats();
    ends.push(() => nats.end());
    const bus = await connectNats({ url: `nats://127.0.0.1:${nats.port}`, name: 'test' });
    ends.push(() => bus.close());
    const stage = await Stage.build(bus);
    const first = await stage.run();
    await stage.publish({});
    await until('the webhook', () => stage.received.length === 1);
    await first.stop();
    const second = await stage.run();
    await stage.publish({ service: 'cart' });
    await until('the second webhook', () => stage.received.length === 2);
    await second.stop();
    expect(await stage.resumeFrom()).toBe(3);
    expect(await stage.transitions()).toMatchObject([{ service: 'checkout' }, { service: 'cart' }]);
  });

  it('goes on when NATS was away', async () => {
    const nats = await startNats();
    ends.push(() => nats.end());
    const bus = await connectNats({ url: `nats://127.0.0.1:${nats.port}`, name: 'test' });
    ends.push(() => bus.close());
    const stage = await Stage.build(bus);
    const alerting = await stage.run();
    await stage.publish({});
    await until('the webhook', () => stage.received.length === 1);
    await until('the checkpoint', async () => (await stage.resumeFrom()) === 2);
    await nats.kill();
    await nats.start();
    await until('NATS takes messages', () => stage.publish({ service: 'cart' }).then(Boolean, () => false));
    await until('the second webhook', () => stage.received.length === 2);
    await until('the next checkpoint', async () => (await stage.resumeFrom().catch(() => 0)) >= 3);
    await until('the transition', async () => (await stage.transitions()).length === 2);
    await alerting.stop();
    expect(alerting.metrics().counters).toMatchObject({ delivered: 2, firingNow: 2, waitingNow: 0 });
  });
});
