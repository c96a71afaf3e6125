/** A coordinator process: stands for election, leads while it holds the lease, and keeps the view of the cluster. */
import { type Bus, type Cancel, type KeyValue, sleep, type Time } from '#bus/mod.ts';
import { type CorrectionAct, keys, pack, subjects, unpack } from '#protocol/mod.ts';
import type { TrainingOptions } from './jobs/training-desk.ts';
import { Leader } from './leader.ts';
import { type LeaseState, stepLease } from './lease.ts';
import { Membership } from './membership.ts';

export interface CoordinatorOptions {
  bus: Bus;
  store: KeyValue;
  id: string;
  analysis: unknown;
  retainLogs: boolean;
  training?: TrainingOptions | undefined;
  /** The last act of each correction that ClickHouse keeps, so that they hold again after NATS was wiped. */
  storedActs?: (() => Promise<CorrectionAct[]>) | undefined;
  time: Time;
  log: (text: string) => void;
  /** How long a silent leader keeps the lease, ms. */
  leaseMs?: number;
}

export const leaseMsDefault = 3_000;
const awakeEveryMs = 250;

export class Coordinator {
  readonly membership = new Membership();
  private readonly options: CoordinatorOptions;
  private readonly leaseMs: number;
  private lease: LeaseState;
  private revision = 0;
  private leader: Leader | null = null;
  private holder: string | null = null;
  private stopStepping: Cancel = () => {};
  private readonly stopWaking: Cancel;
  private busy = false;
  private lastRenewedMs = 0;
  private leaderChanges = 0;
  private readonly listeningSinceMs: number;
  private readonly stopListening: () => void;

  constructor(options: CoordinatorOptions) {
    this.options = options;
    this.leaseMs = options.leaseMs ?? leaseMsDefault;
    this.lease = { me: options.id, seen: null, unchangedSinceMs: options.time.now() };
    this.stopListening = options.bus.listen(subjects.heartbeats, (data) =>
      this.membership.hear(data, options.time.now()),
    );
    this.listeningSinceMs = options.time.now();
    this.stopWaking = options.time.every(awakeEveryMs, () =>
      this.membership.awake(options.time.now(), options.bus.connected),
    );
  }

  async start(): Promise<void> {
    await this.step();
    this.stopStepping = this.options.time.every(this.leaseMs / 4, () => void this.step());
  }

  get leads(): boolean {
    return this.leader !== null;
  }

  /** Id of the present leader, as far as is known. */
  get leaderId(): string | null {
    return this.holder;
  }

  /** For heartbeats and /metrics. */
  counters(): Record<string, number> {
    return { leadsNow: this.leads ? 1 : 0, leaderChanges: this.leaderChanges, ...this.leader?.counters() };
  }

  private async step(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.stepOnce();
    } catch (error) {
      this.options.log(`Leader election: ${(error as Error).message}`);
      // Not able to renew for a whole lease: another may lead by now.
      if (this.options.time.now() - this.lastRenewedMs > this.leaseMs) this.stepDown();
    } finally {
      this.busy = false;
    }
  }

  private async stepOnce(): Promise<void> {
    const { store, id, time } = this.options;
    const entry = await store.get(keys.leader);
    const view = entry === null ? null : { holder: unpack(entry.value) as string, revision: entry.revision };
    this.follow(view?.holder ?? null);
    const { state, step } = stepLease(this.lease, view, time.now(), this.leaseMs);
    this.lease = state;
    if (step === 'wait') {
      this.stepDown();
      return;
    }
    const value = pack(id);
    const askedMs = time.now();
    const revision =
      step === 'create'
        ? await store.create(keys.leader, value)
        : await store.update(keys.leader, value, view?.revision ?? 0);
    if (revision === null) {
      this.stepDown();
      return;
    }
    this.revision = revision;
    this.follow(id);
    this.lastRenewedMs = askedMs;
    if (this.leader === null) this.lead(revision);
  }

  private follow(holder: string | null): void {
    if (holder !== null && this.holder !== null && holder !== this.holder) this.leaderChanges++;
    if (holder !== null) this.holder = holder;
  }

  /** Beginning to lead may take longer than a lease, which is renewed meanwhile. */
  private lead(term: number): void {
    const { bus, store, analysis, retainLogs, training, storedActs, time, log, id } = this.options;
    log(`${id} leads (term ${term}).`);
    const leader: Leader = new Leader({
      bus,
      store,
      membership: this.membership,
      analysis,
      retainLogs,
      training,
      storedActs,
      time,
      log,
      term,
      listeningSinceMs: this.listeningSinceMs,
      valid: () => this.leader === leader && time.now() - this.lastRenewedMs < this.leaseMs,
      onReplaced: () => this.stepDown(leader),
    });
    this.leader = leader;
    leader.start().catch((error: Error) => {
      log(`Leading failed, and is tried again: ${error.message}`);
      this.stepDown(leader);
    });
  }

  private stepDown(which = this.leader): void {
    if (this.leader === null || this.leader !== which) return;
    this.options.log(`${this.options.id} no longer leads.`);
    this.leader.stop();
    this.leader = null;
  }

  /** Lets the lease go, so that a standby takes over at once. */
  async stop(): Promise<void> {
    this.stopStepping();
    this.stopWaking();
    while (this.busy) await sleep(this.options.time, 10);
    const led = this.leader !== null;
    this.stepDown();
    this.stopListening();
    if (led) {
      const entry = await this.options.store.get(keys.leader).catch(() => null);
      if (entry !== null && entry.revision === this.revision)
        await this.options.store.delete(keys.leader).catch(() => {});
    }
  }
}
