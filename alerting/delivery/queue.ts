/**
 * Delivery through BullMQ. The outbox (alerting's own state) is the truth and Redis the carrier: a notification leaves
 * the outbox when it was delivered or failed for good, and whatever is in it is put into the queue again when Redis
 * comes back, with the same job id, which BullMQ takes once. So Redis may die, or forget, and nothing is lost; a
 * receiver may see a notification twice only where its answer got lost, and can tell by the id.
 */
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Cancel, Time } from '#bus/mod.ts';
import type { DeliveryConfig } from '../config/mod.ts';
import type { Notification } from '../core/types.ts';
import { type Channel, DeliveryError } from './channel.ts';
import { RecentIds } from './recent-ids.ts';

/** Carries what is in the outbox to the receivers. */
export interface Delivery {
  readonly counts: { retries: number; stalled: number };
  readonly connected: boolean;
  /** Puts a notification of the outbox into the queue, now or as soon as it can. */
  put(notification: Notification): void;
  stop(): Promise<void>;
}

export interface DeliveryOptions {
  channels: readonly Channel[];
  delivery: DeliveryConfig;
  time: Time;
  log: (text: string) => void;
  /** Every notification that is not yet delivered. */
  outbox: () => ReadonlyMap<string, Notification>;
  onQueued: (notification: Notification) => void;
  /** `now` is false where it was found to have been delivered earlier. */
  onDelivered: (notification: Notification, now: boolean) => void;
  onFailed: (notification: Notification, attempts: number, error: string) => void;
}

export interface DeliveryQueueOptions extends DeliveryOptions {
  /** `redis://…` or `rediss://…`. */
  redisUrl: string;
  /** Name of the BullMQ queue, default `logweir-alerts`. */
  queueName?: string;
}

export const queueNameDefault = 'logweir-alerts';

/** Finished jobs that Redis keeps, to recognise repeats and to look at. */
const completedKept = 10_000;
const failedKept = 1_000;
const backoffMsMax = 5 * 60_000;
const retryAfterMsMax = 15 * 60_000;
const sweepEveryMs = 1_000;
/** A notification that was queued this long ago and is not finished is looked up in Redis. */
const lookUpAfterMs = 15_000;
const perSweepMax = 100;
/** The same complaint is logged this often. */
const sameErrorEveryMs = 30_000;
const stopWithinMs = 5_000;
/** A job whose process died is taken up again after this long. */
const lockMs = 10_000;
const stalledEveryMs = 5_000;
const reconnectMsMax = 1_000;

const reconnectMs = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), reconnectMsMax);

/** Wait before the next attempt, ms: exponential, or longer where the other side asked for it. */
export function backoffOf(backoffMs: number, attemptsMade: number, error: unknown): number {
  const own = Math.min(backoffMs * 2 ** Math.min(attemptsMade - 1, 30), backoffMsMax);
  const asked = error instanceof DeliveryError ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(own, Math.min(asked, retryAfterMsMax));
}

export class DeliveryQueue implements Delivery {
  /** Attempts that failed and will be made again. */
  readonly counts = { retries: 0, stalled: 0 };
  private readonly options: DeliveryQueueOptions;
  private readonly redis: Redis;
  private readonly queue: Queue<Notification>;
  private readonly worker: Worker<Notification>;
  private readonly byName: ReadonlyMap<string, Channel>;
  /** To be put into the queue at the end of this turn. */
  private readonly batch: Notification[] = [];
  /** Being put into the queue at this moment. */
  private readonly adding = new Set<string>();
  /** When each notification of the outbox was put into the queue that Redis holds now. */
  private readonly queuedAtMs = new Map<string, number>();
  private readonly delivering = new Map<string, Promise<void>>();
  private readonly deliveredIds = new RecentIds(completedKept);
  private readonly stopSweeping: Cancel;
  private sweeping = false;
  private stopped = false;
  private away = false;
  private lastError = { text: '', atMs: Number.NEGATIVE_INFINITY };

  constructor(options: DeliveryQueueOptions) {
    this.options = options;
    this.byName = new Map(options.channels.map((channel) => [channel.name, channel]));
    const { redisUrl, delivery } = options;
    const name = options.queueName ?? queueNameDefault;
    // Without an offline queue a put fails at once while Redis is away, and the sweep repeats it.
    this.redis = new Redis(redisUrl, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: reconnectMs,
      connectionName: `${name}:put`,
    });
    const onError = (error: Error): void => this.complain(error);
    this.redis.on('error', onError);
    this.redis.on('ready', () => this.onReady());
    this.redis.on('close', () => this.onAway());
    this.queue = new Queue<Notification>(name, {
      connection: this.redis,
      streams: { events: { maxLen: 1_000 } },
      defaultJobOptions: {
        attempts: delivery.attempts,
        backoff: { type: 'custom' },
        removeOnComplete: { count: completedKept },
        removeOnFail: { count: failedKept },
        stackTraceLimit: 1,
      },
    });
    this.queue.on('error', onError);
    this.worker = new Worker<Notification>(name, (job) => this.process(job), {
      connection: { url: redisUrl, maxRetriesPerRequest: null, retryStrategy: reconnectMs },
      concurrency: delivery.concurrency,
      lockDuration: lockMs,
      stalledInterval: stalledEveryMs,
      // A process that died is no fault of the notification; its attempts are counted apart.
      maxStalledCount: 10,
      runRetryDelay: 200,
      settings: {
        backoffStrategy: (attemptsMade, _type, error) => backoffOf(delivery.backoffMs, attemptsMade, error),
      },
    });
    this.worker.on('error', onError);
    this.worker.on('failed', (job, error) => this.onAttemptFailed(job, error));
    this.worker.on('stalled', () => this.counts.stalled++);
    this.stopSweeping = options.time.every(sweepEveryMs, () => void this.sweep());
  }

  get connected(): boolean {
    return this.redis.status === 'ready';
  }

  /** Puts a notification of the outbox into the queue, now or as soon as Redis answers. */
  put(notification: Notification): void {
    if (this.stopped || !this.connected) return;
    this.batch.push(notification);
    // What is decided in one turn travels together: one write to Redis instead of one for each.
    if (this.batch.length === 1)
      this.options.time.soon(() => {
        this.add(this.batch.splice(0)).catch((error: Error) => this.complain(error));
      });
  }

  private async add(notifications: readonly Notification[]): Promise<void> {
    const fresh = notifications.filter(({ id }) => !this.adding.has(id));
    if (fresh.length === 0) return;
    for (const { id } of fresh) this.adding.add(id);
    try {
      const [first, ...others] = fresh.map((one) => ({ name: one.channel, data: one, opts: { jobId: one.id } }));
      if (first !== undefined && others.length === 0) await this.queue.add(first.name, first.data, first.opts);
      else if (first !== undefined) await this.queue.addBulk([first, ...others]);
      for (const one of fresh) {
        this.queuedAtMs.set(one.id, this.options.time.now());
        this.options.onQueued(one);
      }
    } finally {
      for (const { id } of fresh) this.adding.delete(id);
    }
  }

  private onReady(): void {
    if (this.away) this.options.log('Redis answers again; what waits is delivered now.');
    this.away = false;
    void this.sweep();
  }

  private onAway(): void {
    // It may come back without what it held.
    this.queuedAtMs.clear();
    if (this.away || this.stopped) return;
    this.away = true;
    this.options.log('Redis does not answer; notifications wait until it does.');
  }

  /** Queues what is not queued, and looks up what takes long: it may have been finished by an earlier process. */
  private async sweep(): Promise<void> {
    if (this.sweeping || this.stopped || !this.connected) return;
    this.sweeping = true;
    try {
      const outbox = this.options.outbox();
      for (const id of this.queuedAtMs.keys()) if (!outbox.has(id)) this.queuedAtMs.delete(id);
      const now = this.options.time.now();
      let budget = perSweepMax;
      for (const [id, notification] of outbox) {
        if (budget === 0) break;
        const since = this.queuedAtMs.get(id);
        if (since === undefined) {
          // Left over from another process or another Redis: it may be there, and finished, already.
          await this.add([notification]);
          await this.lookUp(notification);
        } else if (now - since >= lookUpAfterMs) await this.lookUp(notification);
        else continue;
        budget--;
      }
    } catch (error) {
      this.complain(error as Error);
    } finally {
      this.sweeping = false;
    }
  }

  private async lookUp(notification: Notification): Promise<void> {
    const { id } = notification;
    this.queuedAtMs.set(id, this.options.time.now());
    const job = await this.queue.getJob(id);
    if (job === undefined) {
      // Redis has forgotten it: the next sweep queues it anew.
      this.queuedAtMs.delete(id);
      return;
    }
    const state = await job.getState();
    // It may have been delivered here in the meantime.
    if (!this.options.outbox().has(id)) return;
    if (state === 'completed') this.options.onDelivered(notification, false);
    else if (state === 'failed') this.options.onFailed(notification, job.attemptsMade, job.failedReason ?? 'unknown');
  }

  private async process(job: Job<Notification>): Promise<void> {
    const { id } = job.data;
    // Redis may hand out a job again whose end it did not hear of, or that it forgot while it was on its way.
    if (this.deliveredIds.has(id)) return;
    const delivering = this.delivering.get(id) ?? this.deliver(job.data);
    this.delivering.set(id, delivering);
    try {
      await delivering;
    } finally {
      this.delivering.delete(id);
    }
  }

  private async deliver(notification: Notification): Promise<void> {
    const channel = this.byName.get(notification.channel);
    if (channel === undefined)
      throw new UnrecoverableError(`Channel ${notification.channel} is not configured any more.`);
    try {
      await channel.deliver(notification);
    } catch (error) {
      if (error instanceof DeliveryError && error.permanent) throw new UnrecoverableError(error.message);
      throw error;
    }
    this.deliveredIds.add(notification.id);
    this.options.onDelivered(notification, true);
  }

  private onAttemptFailed(job: Job<Notification> | undefined, error: Error): void {
    if (job === undefined) return;
    const final = error.name === 'UnrecoverableError' || job.attemptsMade >= (job.opts.attempts ?? 1);
    if (final) this.options.onFailed(job.data, job.attemptsMade, error.message);
    else {
      this.counts.retries++;
      this.options.log(
        `Notification for ${job.data.channel} waits for another attempt (${job.attemptsMade} so far): ${error.message}`,
      );
    }
  }

  private complain(error: Error): void {
    if (this.stopped || this.away || !this.connected) return;
    const text = error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
    const now = this.options.time.now();
    if (text === this.lastError.text && now - this.lastError.atMs < sameErrorEveryMs) return;
    this.lastError = { text, atMs: now };
    this.options.log(`The queue of notifications complains: ${text}`);
  }

  /** Finishes deliveries that are on their way, for a few seconds; what is left is delivered by the next process. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.stopSweeping();
    await this.within(this.worker.close(!this.connected), stopWithinMs);
    await this.within(this.queue.close(), stopWithinMs);
    this.redis.disconnect();
  }

  /** Settles with the promise, or after so many ms. Failures of closing are of no use to anybody. */
  private async within(closing: Promise<unknown>, ms: number): Promise<void> {
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.options.time.after(ms, resolve);
    });
    await Promise.race([closing.catch(() => {}), late]);
    cancel();
  }
}
