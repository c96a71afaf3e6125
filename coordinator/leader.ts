/**
 * What the leader does, and only it: generation, control messages, assignment, ticks, retention. Every write is
 * compare-and-set or idempotent, so a leader that does not know yet that it was replaced does no harm.
 */
import { createHash } from 'node:crypto';
import type { Bus, Cancel, ClusterFacts, KeyValue, Time } from '#bus/mod.ts';
import {
  buckets,
  decodeMarks,
  encodeLogsMessage,
  keys,
  pack,
  type StreamName,
  streams,
  subjects,
  unpack,
} from '#protocol/mod.ts';
import { readAlertsRecord, readWriterRecord } from '#storage/mod.ts';
import type { CheckpointPointer } from '#workers/mod.ts';
import { type Assignment, type Member, plan } from './assignment.ts';
import type { Membership } from './membership.ts';
import { needsNewGeneration, neededFrom, planPurge } from './retention.ts';

export interface LeaderOptions {
  bus: Bus;
  store: KeyValue;
  membership: Membership;
  /** Validated analysis configuration, as written; reaches partitions as a control message. */
  analysis: unknown;
  /** Keeps LOGS whole, so that `logweir verify` can fold it from the start. */
  retainLogs: boolean;
  time: Time;
  log: (text: string) => void;
}

const planEveryMs = 250;
const tickEveryMs = 1_000;
const purgeEveryMs = 5_000;
/** Moving partitions for balance is looked at this often, and when members came or went. */
const rebalanceEveryMs = 30_000;
/** A new cluster waits this long for workers to join, so that the first assignment is the lasting one. */
const settleMs = 1_000;
/** Share of a partition's weight that does not depend on its traffic, records/s. */
const weightFloor = 50;

interface StoredAnalysis {
  version: number;
  hash: string;
  config: unknown;
  published: boolean;
}

export class Leader {
  private readonly options: LeaderOptions;
  private facts: ClusterFacts = { partitions: 0, generation: 0, logsCreatedMs: 0 };
  private timers: Cancel[] = [];
  private readonly startedMs: number;
  private lastRebalanceMs = 0;
  private lastMembers = '';
  private planning = false;
  private purging = false;
  private purged: number[] = [];
  private stopped = false;

  constructor(options: LeaderOptions) {
    this.options = options;
    this.startedMs = options.time.now();
  }

  async start(): Promise<void> {
    await this.settleGeneration();
    await this.publishAnalysis();
    if (this.stopped) return;
    const { time } = this.options;
    this.timers = [
      time.every(planEveryMs, () => void this.assign()),
      time.every(tickEveryMs, () => this.tick()),
      time.every(purgeEveryMs, () => void this.purge()),
    ];
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.timers = [];
  }

  /** R3: raises the generation where LOGS is not the stream, or not as long, as positions say. */
  private async settleGeneration(): Promise<void> {
    const { bus, store, log } = this.options;
    for (;;) {
      const entry = await store.get(keys.facts);
      if (entry === null) throw new Error('the cluster has no facts');
      const facts = unpack(entry.value) as ClusterFacts;
      const info = await bus.streams.info(streams.logs);
      const highest = await this.highestPosition(facts);
      this.facts = facts;
      if (!needsNewGeneration(info, facts, highest)) return;
      const next = { ...facts, generation: facts.generation + 1, logsCreatedMs: info.createdMs };
      if ((await store.update(keys.facts, pack(next), entry.revision)) === null) continue;
      log(
        `The LOGS stream ends at ${info.lastSequence}, but positions up to ${highest} are known: it was made anew or lost its tail. Generation ${next.generation} begins; records that were only in the lost part are gone.`,
      );
      this.facts = next;
      return;
    }
  }

  private async highestPosition(facts: ClusterFacts): Promise<number> {
    const pointers = await this.pointers(facts);
    let highest = 0;
    for (const pointer of pointers)
      for (const entry of pointer?.entries ?? [])
        if (entry.generation === facts.generation) highest = Math.max(highest, entry.sequence);
    return highest;
  }

  private async pointers(facts: ClusterFacts): Promise<(CheckpointPointer | null)[]> {
    const bucket = await this.options.bus.keyValue(buckets.checkpoints);
    const result: (CheckpointPointer | null)[] = [];
    for (let partition = 0; partition < facts.partitions; partition++) {
      const entry = await bucket.get(keys.checkpoint(partition));
      result.push(entry === null ? null : (unpack(entry.value) as CheckpointPointer));
    }
    return result;
  }

  /** A changed analysis configuration becomes the next version and is told to every partition through its stream (R2). */
  private async publishAnalysis(): Promise<void> {
    const { bus, store, analysis, log } = this.options;
    const hash = createHash('sha256').update(pack(analysis)).digest('hex');
    const entry = await store.get(keys.analysisConfig);
    let stored: StoredAnalysis =
      entry === null
        ? { version: 0, hash: createHash('sha256').update(pack({})).digest('hex'), config: {}, published: true }
        : (unpack(entry.value) as StoredAnalysis);
    if (stored.hash !== hash) {
      stored = { version: stored.version + 1, hash, config: analysis, published: false };
      await store.put(keys.analysisConfig, pack(stored));
      log(`Analysis configuration version ${stored.version} goes to all partitions.`);
    }
    if (stored.published) return;
    const data = encodeLogsMessage({
      kind: 'control',
      control: { kind: 'analysis', version: stored.version, config: stored.config },
    });
    for (let partition = 0; partition < this.facts.partitions; partition++)
      await bus.streams.publish(subjects.logs(partition), data, {
        messageId: `control.${stored.version}.${partition}`,
      });
    await store.put(keys.analysisConfig, pack({ ...stored, published: true }));
  }

  private tick(): void {
    const data = encodeLogsMessage({ kind: 'tick' });
    for (let partition = 0; partition < this.facts.partitions; partition++)
      this.options.bus.streams.publish(subjects.logs(partition), data).catch(() => {});
  }

  private async assign(): Promise<void> {
    if (this.planning) return;
    this.planning = true;
    try {
      await this.assignOnce();
    } catch (error) {
      this.options.log(`Assignment failed: ${(error as Error).message}`);
    } finally {
      this.planning = false;
    }
  }

  private async assignOnce(): Promise<void> {
    const { store, membership, time, log } = this.options;
    const now = time.now();
    membership.awake(now);
    const workers = membership.alive('worker', now);
    const entry = await store.get(keys.assignment);
    if (entry === null && now - this.startedMs < settleMs) return;
    const { partitions, generation } = this.facts;
    const none: Assignment = { epoch: 0, generation, owners: new Array<string | null>(partitions).fill(null) };
    const present = entry === null ? none : { ...(unpack(entry.value) as Assignment), generation };
    const members: Member[] = workers
      .filter(({ beat }) => !beat.leaving)
      .map(({ beat }) => ({ id: beat.id, running: new Set(beat.partitions.map((load) => load.partition)) }));
    const draining = new Set(
      workers.filter(({ beat }) => beat.leaving).flatMap(({ beat }) => beat.partitions.map((load) => load.partition)),
    );
    const weights = new Array<number>(partitions).fill(weightFloor);
    for (const { beat } of workers)
      for (const load of beat.partitions)
        weights[load.partition] = weightFloor + load.recordsPerSecond + load.lagMs / 10;
    const names = members.map((member) => member.id).join();
    const rebalance = names !== this.lastMembers || now - this.lastRebalanceMs >= rebalanceEveryMs;
    const next = plan({ present, members, draining, weights, rebalance });
    if (next !== null) {
      const value = pack(next);
      const written =
        entry === null
          ? await store.create(keys.assignment, value)
          : await store.update(keys.assignment, value, entry.revision);
      if (written === null) return;
      const counts = members.map(
        (member) => `${member.id} ${next.owners.filter((owner) => owner === member.id).length}`,
      );
      log(`Assignment ${next.epoch}: ${counts.join(', ') || 'no workers'}.`);
      return;
    }
    if (rebalance) {
      this.lastMembers = names;
      this.lastRebalanceMs = now;
    }
  }

  private async purge(): Promise<void> {
    if (this.purging) return;
    this.purging = true;
    const { bus, retainLogs } = this.options;
    try {
      if (!retainLogs) {
        const needed = (await this.pointers(this.facts)).map((pointer) => neededFrom(pointer, this.facts.generation));
        for (const { partition, below } of planPurge(needed, this.purged)) {
          await bus.streams.purge(streams.logs, below, subjects.logs(partition));
          this.purged[partition] = below;
        }
      }
      const written = await readWriterRecord(bus);
      if (written !== null) await this.purgeRead(streams.results, written.position + 1);
      const stored = await readAlertsRecord(bus);
      if (stored !== null) await this.purgeRead(streams.alerts, stored.position + 1);
      const marks = await (await bus.keyValue(buckets.marks)).get(keys.alerting);
      if (marks !== null) await this.purgeRead(streams.anomalies, decodeMarks(marks.value).resumeFrom);
    } catch (error) {
      this.options.log(`Retention is behind: ${(error as Error).message}`);
    } finally {
      this.purging = false;
    }
  }

  /** Removes what a stream's reader no longer needs. */
  private async purgeRead(stream: StreamName, resumeFrom: number): Promise<void> {
    const info = await this.options.bus.streams.info(stream);
    if (resumeFrom > info.firstSequence && info.messages > 0) await this.options.bus.streams.purge(stream, resumeFrom);
  }
}
