/**
 * The shell around the pure core: reads ANOMALIES, carries out what was decided, and keeps the checkpoint.
 *
 * A1  What findings decide is carried out at once; after a crash the same findings, read again from the checkpoint,
 *     decide the same, with the same ids, which BullMQ and the `alerts` table take once.
 * A2  A tick never overtakes a finding: it is given only when everything in the stream was read, and lags the clock.
 * A3  A checkpoint is committed only when every transition up to it is acknowledged by ALERTS.
 */
import { type Bus, type Cancel, GoBackN, sleep, type StreamMessage, type Subscription, type Time } from '#bus/mod.ts';
import {
  type AlertTransition,
  decodeAnomalies,
  encodeAlerts,
  type IncidentVersion,
  LogweirError,
  streams,
  subjects,
} from '#protocol/mod.ts';
import { AlertingCheckpoints, type StateCodec } from './checkpoint.ts';
import type { AlertingConfig } from './config/mod.ts';
import { decide } from './core/decide.ts';
import { emptyState } from './core/state.ts';
import type { AlertingEvent, AlertingState } from './core/types.ts';
import { openChannel } from './delivery/open.ts';
import { type Delivery, type DeliveryOptions, DeliveryQueue } from './delivery/queue.ts';
import { findingsHeld, openIncidents } from './incidents/mod.ts';
import { type AlertingMetrics, Latency, latencyText, quantileOf } from './metrics.ts';
import { AnomalyReader } from './reader.ts';
import { lineOf } from './terminal.ts';

export interface AlertingDeps {
  bus: Bus;
  /** Generation that the cluster began with, default 1; anomalies of earlier ones are refused. */
  firstGeneration?: number;
  redisUrl: string;
  config: AlertingConfig;
  time: Time;
  /** Of the dashboard, as people reach it; notifications link there. */
  publicUrl: string;
  log: (text: string) => void;
  /** Name of the BullMQ queue; clusters that share a Redis need different ones. Default `logweir-alerts`. */
  queueName?: string;
  /** Least time between checkpoints, ms, default 5_000. */
  checkpointEveryMs?: number;
  /** Carries notifications to their receivers, default BullMQ over Redis. */
  openDelivery?: (options: DeliveryOptions) => Delivery;
  /** Names this process in the checkpoint, default random. */
  owner?: string;
  /** Packs the state for its checkpoint, default lz4 off the main thread. */
  codec?: StateCodec;
}

export interface RunningAlerting {
  metrics(): AlertingMetrics;
  /** The latency histograms as Prometheus text, to stand beside the counters. */
  latencyText(): string;
  /** Rejects when alerting cannot go on: another process has taken over. */
  failed: Promise<never>;
  /** Finishes deliveries that are on their way, commits, and lets go. */
  stop(): Promise<void>;
}

const tickEveryMs = 500;
/** How far a tick lags the clock: more than clocks of one cluster differ, and a message takes to be stored (A2). */
const tickLagMs = 1_000;
/** Findings stored longer ago are read after an absence: people hear how things stand, not how they went. */
const catchingUpMs = 60_000;
/** What a crash makes alerting read again; ids keep people from hearing it twice. */
const checkpointEveryMsDefault = 5_000;
/** Checkpoints of a large state come more rarely: they take at most one part in so many of the time. */
const checkpointRest = 20;
/** … but never more rarely than this: what took long may have waited for NATS. */
const checkpointEveryMsMax = 30_000;
const readAgainAfterMs = 500;
/** A gap that go-back-N did not close for so long may be closed by what lies behind us, ms. */
const gapLastsMs = 10_000;
/** Between two readings of ANOMALIES from its beginning because of a gap, ms. */
const rewindEveryMs = 60_000;
/** Reading gives way to sockets after this long, ms. */
const turnMsMax = 5;
const publishWindow = 64;
const publishQueueBytesMax = 16 * 1024 * 1024;
/** At the end, how long to wait for a NATS that may be gone. */
const lastCommitWithinMs = 3_000;

export async function runAlerting(deps: AlertingDeps): Promise<RunningAlerting> {
  const checkpoints = await AlertingCheckpoints.open(deps.bus, deps);
  const alerting = new Alerting(deps, checkpoints);
  await alerting.start();
  return alerting;
}

class Alerting implements RunningAlerting {
  readonly failed: Promise<never>;
  private fail: (error: Error) => void = () => {};
  private readonly deps: AlertingDeps;
  private readonly checkpoints: AlertingCheckpoints;
  private readonly reader: AnomalyReader;
  private readonly publisher: GoBackN;
  private queue: Delivery | null = null;
  private state: AlertingState = emptyState();
  /** Next stream sequence to read. */
  private next = 1;
  private dirty = false;
  private stopping = false;
  private subscription: Subscription | null = null;
  /** What the subscription still brings is not taken: the stream is read again from `next`. */
  private rewound = false;
  private rewoundMs = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> = Promise.resolve();
  private ticking: Promise<void> = Promise.resolve();
  private stopTicking: Cancel = () => {};
  private nextCommitMs = 0;
  private readonly counts = { messages: 0, duplicates: 0, gaps: 0, gapsPassed: 0, malformed: 0, checkpoints: 0 };
  private readonly latency = new Latency();

  constructor(deps: AlertingDeps, checkpoints: AlertingCheckpoints) {
    this.deps = deps;
    this.checkpoints = checkpoints;
    this.reader = new AnomalyReader(deps.firstGeneration);
    this.failed = new Promise((_resolve, reject) => {
      this.fail = reject;
    });
    // Whoever does not look at it is not to die of it.
    this.failed.catch(() => {});
    this.publisher = new GoBackN({
      publish: (subject, data) => deps.bus.streams.publish(subject, data),
      sleep: (ms) => sleep(deps.time, ms),
      window: publishWindow,
      queueBytesMax: publishQueueBytesMax,
      onRetry: (error, queued) => deps.log(`${error.message} ${queued} messages about alerts wait.`),
    });
  }

  async start(): Promise<void> {
    const { bus, config, publicUrl, time, log } = this.deps;
    const open = this.deps.openDelivery ?? ((options) => new DeliveryQueue({ ...this.deps, ...options }));
    const restored = await this.checkpoints.load(log);
    this.reader.restore(restored.marks);
    if (restored.state !== null) this.state = restored.state;
    await this.position(restored.resumeFrom);
    this.queue = open({
      channels: config.channels.map((channel) => openChannel(channel, publicUrl, time.now)),
      delivery: config.delivery,
      time,
      log,
      outbox: () => this.state.outbox,
      onQueued: ({ receipt }) => this.latency.queued.observe(receipt, time.now()),
      onDelivered: ({ id, receipt }, now) => {
        if (now) this.latency.delivered.observe(receipt, time.now());
        this.apply({ kind: 'delivered', id });
      },
      onFailed: ({ id, channel }, attempts, error) => {
        log(`Notification for ${channel} failed for good after ${attempts} attempts: ${error}`);
        this.apply({ kind: 'undeliverable', id, atMs: time.now(), attempts, error });
      },
    });
    this.adoptSilences();
    this.subscription = await this.subscribe();
    this.reading = this.readForEver();
    this.stopTicking = time.every(tickEveryMs, () => this.onTimer());
    if (bus.connected && config.channels.length === 0)
      log('No alert channel is configured: alerts are printed here and shown on the page.');
  }

  /** Where to read on; earlier than asked where the stream was made anew. */
  private async position(resumeFrom: number): Promise<void> {
    const { firstSequence, lastSequence } = await this.deps.bus.streams.info(streams.anomalies);
    this.next = resumeFrom > lastSequence + 1 ? firstSequence : resumeFrom;
    if (this.next < firstSequence) {
      this.next = firstSequence;
      this.reader.startAnywhere();
    }
  }

  private subscribe(): Promise<Subscription> {
    return this.deps.bus.streams.consume(streams.anomalies, { fromSequence: this.next });
  }

  /** Silences are those of the configuration; one that was taken out of it ends. */
  private adoptSilences(): void {
    const { silences } = this.deps.config;
    const atMs = this.state.nowMs;
    for (const id of this.state.silences.keys())
      if (!silences.some((silence) => silence.id === id)) this.apply({ kind: 'unsilence', atMs, id });
    for (const silence of silences) this.apply({ kind: 'silence', atMs, silence });
  }

  private async readForEver(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.read();
      } catch (error) {
        if (error instanceof LogweirError && error.code === 'CLUSTER_MISMATCH') return this.fail(error);
        this.deps.log(`Reading findings failed and starts anew: ${(error as Error).message}`);
      }
      if (this.stopping) return;
      await sleep(this.deps.time, readAgainAfterMs);
      await this.subscription?.stop().catch(() => {});
      this.rewound = false;
      this.subscription = await this.subscribe().catch(() => null);
    }
  }

  private async read(): Promise<void> {
    if (this.subscription === null) return;
    const { time } = this.deps;
    let turnMs = time.now();
    for await (const message of this.subscription) {
      if (message.sequence > this.next && !this.rewound) await this.passPurged(message.sequence);
      if (this.stopping || this.rewound) return;
      try {
        this.take(message);
      } catch (error) {
        // The same message would fail again, and those behind it must not wait for it.
        this.counts.malformed++;
        this.deps.log(`Message ${message.sequence} of ANOMALIES was set aside: ${(error as Error).message}`);
      }
      this.next = message.sequence + 1;
      await this.publisher.room();
      if (time.now() - turnMs < turnMsMax) continue;
      // Messages that are there already are read without a pause: sockets get their turn, or a burst delays its first alert.
      await new Promise<void>((resolve) => time.soon(resolve));
      turnMs = time.now();
    }
  }

  /** Findings are purged once a checkpoint has them. Is it ours? A process that woke up late would judge without them. */
  private async passPurged(firstSequence: number): Promise<void> {
    await this.checkpoints.confirm();
    if (this.rewound) return;
    this.next = firstSequence;
    this.reader.startAnywhere();
  }

  private take(message: StreamMessage): void {
    const { counts } = this;
    counts.messages++;
    this.dirty = true;
    const anomalies = decodeAnomalies(message.data);
    const verdict = this.reader.admit(anomalies, message.timeMs);
    if (verdict === 'duplicate') counts.duplicates++;
    if (verdict === 'gap') counts.gaps++;
    if (verdict === 'take-over-gap') {
      counts.gapsPassed++;
      this.deps.log(
        `Findings of partition ${anomalies.partition} before sequence ${anomalies.to} are missing here; alerting goes on without them.`,
      );
    }
    if (verdict === 'duplicate' || verdict === 'gap') return;
    const { receipts } = anomalies;
    const findings = anomalies.anomalies.map((anomaly, at) => ({
      anomaly,
      receipt: receipts[at] ?? { eventMs: anomaly.eventMs, gatewayMs: 0, processingMs: 0, detectedMs: 0 },
    }));
    const catchingUp = this.deps.time.now() - message.timeMs > catchingUpMs;
    this.apply({ kind: 'anomalies', atMs: message.timeMs, findings, catchingUp });
  }

  /** One event through the core, and what it decided into the world. */
  private apply(event: AlertingEvent): void {
    const before = this.state;
    const { state, effects } = decide(before, event, this.deps.config.decide);
    this.state = state;
    if (effects.length > 0 || changed(before, state)) this.dirty = true;
    const transitions: AlertTransition[] = [];
    const incidents: IncidentVersion[] = [];
    for (const effect of effects) {
      switch (effect.kind) {
        case 'notify':
          this.latency.decided.observe(effect.notification.receipt, this.deps.time.now());
          this.queue?.put(effect.notification);
          break;
        case 'transition':
          transitions.push(effect.transition);
          break;
        case 'incident':
          incidents.push(effect.incident);
          break;
        default:
          effect satisfies never;
      }
    }
    if (transitions.length + incidents.length > 0) this.publish(transitions, incidents);
  }

  private publish(transitions: AlertTransition[], incidents: IncidentVersion[]): void {
    const { bus, log } = this.deps;
    const data = encodeAlerts({ transitions, incidents });
    bus.tell(subjects.live.alerts, data);
    void this.publisher.send(subjects.alerts(), data);
    for (const transition of transitions) if (transition.suppressedBy === '') log(lineOf(transition));
  }

  private onTimer(): void {
    this.ticking = this.ticking.then(async () => {
      if (this.stopping) return;
      try {
        await this.tick();
        if (this.dirty && this.deps.time.now() >= this.nextCommitMs) await this.commit();
      } catch (error) {
        if (error instanceof LogweirError && error.code === 'CLUSTER_MISMATCH') this.fail(error);
        // NATS is away: time stands still for alerts until it is back, deliveries go on.
      }
    });
  }

  private async tick(): Promise<void> {
    const { bus, time } = this.deps;
    if (!bus.connected) return;
    const nowMs = time.now();
    // What is read while the answer is on its way may be newer than the answer.
    const read = this.next - 1;
    const { firstSequence, lastSequence } = await bus.streams.info(streams.anomalies);
    if (firstSequence > this.next) await this.passPurged(firstSequence);
    if (lastSequence < read) {
      return this.rewind(firstSequence, `The ANOMALIES stream ends at ${lastSequence}, but was read up to ${read}.`);
    }
    const gapMs = nowMs - this.reader.gapSinceMs;
    if (gapMs >= gapLastsMs && nowMs - this.rewoundMs >= rewindEveryMs) {
      return this.rewind(firstSequence, 'Findings are missing, which may lie in what was read of ANOMALIES before.');
    }
    // A2: everything stored before `nowMs` has been read.
    if (lastSequence === this.next - 1) this.apply({ kind: 'tick', atMs: nowMs - tickLagMs });
  }

  /**
   * The stream was made anew, or lost its tail (and may have grown since): what stands where we have been already was
   * never seen. Reading it all again costs duplicates only. Decided on what was seen, at once and in the checkpoint, since
   * by the time that anybody looks again the stream may have grown past where we were.
   */
  private async rewind(firstSequence: number, reason: string): Promise<void> {
    this.deps.log(`${reason} It is read from its beginning.`);
    this.rewound = true;
    this.rewoundMs = this.deps.time.now();
    this.next = firstSequence;
    this.dirty = true;
    this.nextCommitMs = 0;
    await this.subscription?.stop();
  }

  private async commit(): Promise<void> {
    const { state, next } = this;
    const marks = this.reader.committed();
    this.dirty = false;
    try {
      // A3
      await this.publisher.idle();
      const startedMs = this.deps.time.now();
      await this.checkpoints.save(state, marks, next);
      const endedMs = this.deps.time.now();
      const everyMs = this.deps.checkpointEveryMs ?? checkpointEveryMsDefault;
      this.nextCommitMs = endedMs + pauseAfter(endedMs - startedMs, everyMs);
      this.counts.checkpoints++;
    } catch (error) {
      this.dirty = true;
      throw error;
    }
  }

  metrics(): AlertingMetrics {
    const { state, counts, queue } = this;
    const latency = this.latency.snapshot();
    const counters = {
      ...state.totals,
      ...counts,
      retries: queue?.counts.retries ?? 0,
      stalled: queue?.counts.stalled ?? 0,
      firingNow: state.alerts.size,
      groupsNow: state.groups.size,
      incidentsOpened: state.incidents.totals.opened,
      incidentVersions: state.incidents.totals.published,
      incidentsMerged: state.incidents.totals.merged,
      incidentFindingsLate: state.incidents.totals.late,
      incidentFindingsEvicted: state.incidents.totals.evicted,
      incidentsOpenNow: openIncidents(state.incidents),
      incidentFindingsNow: findingsHeld(state.incidents),
      waitingNow: state.outbox.size,
      heldNow: [...state.channels.values()].reduce((sum, channel) => sum + channel.held, 0),
      redisConnectedNow: queue?.connected === true ? 1 : 0,
      deliveredP50Ms: quantileOf(latency.delivered, 0.5),
      deliveredP99Ms: quantileOf(latency.delivered, 0.99),
    };
    return { counters, latency, failures: state.failures };
  }

  latencyText(): string {
    return latencyText(this.latency.snapshot());
  }

  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.stopTicking();
    await this.subscription?.stop().catch(() => {});
    await this.queue?.stop();
    let cancelLate: Cancel = () => {};
    const lastCommit = Promise.all([this.ticking, this.reading]).then(() => (this.dirty ? this.commit() : undefined));
    await Promise.race([
      lastCommit.catch((error: Error) => this.deps.log(`The last checkpoint was not written: ${error.message}`)),
      new Promise<void>((resolve) => {
        cancelLate = this.deps.time.after(lastCommitWithinMs, resolve);
      }),
    ]);
    cancelLate();
    this.publisher.stop();
  }
}

/** Time between checkpoints, ms, where the last one took `tookMs`. */
export function pauseAfter(tookMs: number, everyMs: number): number {
  return Math.max(everyMs, Math.min(tookMs * checkpointRest, checkpointEveryMsMax));
}

/** Time alone moves with every tick; that is no reason for a checkpoint. */
function changed(before: AlertingState, after: AlertingState): boolean {
  return (
    before.alerts !== after.alerts ||
    before.groups !== after.groups ||
    before.channels !== after.channels ||
    before.silences !== after.silences ||
    before.incidents.totals.published !== after.incidents.totals.published ||
    before.outbox !== after.outbox
  );
}
