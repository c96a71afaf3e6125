/**
 * What the leader does, and only it: generation, control messages, assignment, ticks, retention. Every write is
 * compare-and-set or idempotent, and the assignment carries the leader's term, so that a leader that does not know yet
 * that it was replaced does no harm.
 */
import { createHash } from 'node:crypto';
import { type Bus, type Cancel, type ClusterFacts, generationAfter, type KeyValue, unpackFacts } from '#bus/mod.ts';
import {
  buckets,
  type CorrectionAct,
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
import { type CheckpointPointer, readPointer } from '#workers/mod.ts';
import { TrainingDesk, type TrainingOptions } from './jobs/training-desk.ts';
import { ModelControl } from './model-control.ts';
import { Placement, type PlacementOptions } from './placement.ts';
import { needsNewGeneration, neededFrom, planPurge, resultsKeptFrom } from './retention.ts';

export interface LeaderOptions extends PlacementOptions {
  bus: Bus;
  /** Validated analysis configuration, as written; reaches partitions as a control message. */
  analysis: unknown;
  /** Keeps LOGS whole, so that `logweir verify` can fold it from the start. */
  retainLogs: boolean;
  /** Undefined: no model is trained here. */
  training?: TrainingOptions | undefined;
  /** The last act of each correction that ClickHouse keeps. */
  storedActs?: (() => Promise<CorrectionAct[]>) | undefined;
  /** Whether the lease holds by this process's own clock: one that stood still does nothing before it looked again. */
  valid: () => boolean;
  /** Another one leads since. */
  onReplaced: () => void;
}

const planEveryMs = 250;
const tickEveryMs = 1_000;
const purgeEveryMs = 5_000;
/** How long a correction or another model may wait. */
const modelsEveryMs = 1_000;

interface StoredAnalysis {
  version: number;
  hash: string;
  config: unknown;
  published: boolean;
}

/** The analysis configuration that partitions were told last; null before any: the defaults hold. */
export async function readAnalysisConfig(store: KeyValue): Promise<unknown> {
  const entry = await store.get(keys.analysisConfig);
  return entry === null ? null : (unpack(entry.value) as StoredAnalysis).config;
}

export class Leader {
  private readonly options: LeaderOptions;
  private facts: ClusterFacts = { partitions: 0, generation: 0, firstGeneration: 0, logsCreatedMs: 0 };
  private timers: Cancel[] = [];
  private readonly placement: Placement;
  private readonly models: ModelControl;
  private readonly training: TrainingDesk;
  private purging = false;
  private purged: number[] = [];
  private stopped = false;

  constructor(options: LeaderOptions) {
    this.options = options;
    this.placement = new Placement(options);
    this.models = new ModelControl(options);
    this.training = new TrainingDesk(options);
  }

  async start(): Promise<void> {
    const again = await this.settleGeneration();
    await this.publishAnalysis(again);
    await this.models.look(this.facts, again);
    if (this.stopped) return;
    const { time } = this.options;
    this.timers = [
      time.every(planEveryMs, () => void this.assign()),
      time.every(tickEveryMs, () => this.tick()),
      time.every(purgeEveryMs, () => void this.purge()),
      time.every(modelsEveryMs, () => void this.lookAtModels()),
    ];
  }

  counters(): Record<string, number> {
    return { ...this.placement.counters(), ...this.models.counters(), ...this.training.counters() };
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.timers = [];
  }

  /** R3: raises the generation where LOGS is not the stream, or not as long, as positions say. True where it did. */
  private async settleGeneration(): Promise<boolean> {
    const { bus, store, log } = this.options;
    for (;;) {
      const entry = await store.get(keys.facts);
      if (entry === null) throw new Error('the cluster has no facts');
      const facts = unpackFacts(entry.value);
      // In this order: the stream grows and is checkpointed meanwhile.
      const highest = await this.highestPosition(facts);
      const info = await bus.streams.info(streams.logs);
      this.facts = facts;
      if (!needsNewGeneration(info, facts, highest) && !this.isToldOfChange(facts)) return false;
      const generation = generationAfter(facts.generation, info.createdMs);
      const next = { ...facts, generation, logsCreatedMs: info.createdMs };
      if ((await store.update(keys.facts, pack(next), entry.revision)) === null) continue;
      log(
        `The LOGS stream ends at ${info.lastSequence}, and positions up to ${highest} are known of another: it was made anew or lost its tail. Generation ${next.generation} begins; records that were only in the lost part are gone.`,
      );
      this.facts = next;
      this.purged = [];
      return true;
    }
  }

  /** A worker met other messages than those it had read, though the stream has grown past its positions since. */
  private isToldOfChange(facts: ClusterFacts): boolean {
    const { membership, time } = this.options;
    return membership
      .alive('worker', time.now())
      .some(({ beat }) => beat.counters['streamChangedGeneration'] === facts.generation);
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
    return Promise.all(
      Array.from({ length: facts.partitions }, async (_, partition) => {
        const entry = await bucket.get(keys.checkpoint(partition));
        return entry === null ? null : readPointer(entry.value);
      }),
    );
  }

  /**
   * A changed analysis configuration becomes the next version and is told to every partition through its stream (R2).
   * `again`: the stream may have lost what was told.
   */
  private async publishAnalysis(again: boolean): Promise<void> {
    const { bus, store, analysis, log } = this.options;
    const hash = createHash('sha256').update(pack(analysis)).digest('hex');
    const entry = await store.get(keys.analysisConfig);
    let stored: StoredAnalysis =
      entry === null
        ? { version: 0, hash: createHash('sha256').update(pack({})).digest('hex'), config: {}, published: true }
        : (unpack(entry.value) as StoredAnalysis);
    let revision = entry?.revision ?? 0;
    const write = async (next: StoredAnalysis): Promise<boolean> => {
      const written =
        revision === 0
          ? await store.create(keys.analysisConfig, pack(next))
          : await store.update(keys.analysisConfig, pack(next), revision);
      revision = written ?? 0;
      return written !== null;
    };
    if (stored.hash !== hash) {
      stored = { version: stored.version + 1, hash, config: analysis, published: false };
      if (!(await write(stored))) throw new Error('another leader wrote the analysis configuration');
      log(`Analysis configuration version ${stored.version} goes to all partitions.`);
    }
    if (stored.published && !(again && stored.version > 0)) return;
    const data = encodeLogsMessage({
      kind: 'control',
      control: { kind: 'analysis', version: stored.version, config: stored.config },
    });
    for (let partition = 0; partition < this.facts.partitions; partition++)
      await bus.streams.publish(subjects.logs(partition), data, {
        messageId: `control.${stored.version}.${partition}`,
      });
    await write({ ...stored, published: true });
  }

  private tick(): void {
    if (!this.options.valid()) return;
    const data = encodeLogsMessage({ kind: 'tick' });
    for (let partition = 0; partition < this.facts.partitions; partition++)
      this.options.bus.streams.publish(subjects.logs(partition), data).catch(() => {});
  }

  private async assign(): Promise<void> {
    if (!this.options.valid()) return;
    try {
      if (!(await this.placement.look(this.facts)) && !this.stopped) this.options.onReplaced();
    } catch (error) {
      this.options.log(`Assignment failed: ${(error as Error).message}`);
    }
  }

  private async lookAtModels(): Promise<void> {
    try {
      await this.models.look(this.facts);
    } catch (error) {
      this.options.log(`Partitions are not told of corrections or models yet: ${(error as Error).message}`);
    }
    try {
      await this.training.look();
    } catch (error) {
      this.options.log(`Whether to train a model is not known yet: ${(error as Error).message}`);
    }
  }

  private async purge(): Promise<void> {
    if (this.purging || !this.options.valid()) return;
    this.purging = true;
    const { bus, retainLogs } = this.options;
    try {
      // LOGS may be made anew, or lose its tail in a server's crash, while this process leads.
      if (await this.settleGeneration()) {
        await this.publishAnalysis(true);
        await this.models.look(this.facts, true);
      }
      if (!retainLogs) {
        const needed = (await this.pointers(this.facts)).map((pointer) => neededFrom(pointer, this.facts.generation));
        for (const { partition, below } of planPurge(needed, this.purged)) {
          await bus.streams.purge(streams.logs, below, subjects.logs(partition));
          this.purged[partition] = below;
        }
      }
      const written = await readWriterRecord(bus);
      if (written !== null) await this.purgeResults(written.position + 1);
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

  private async purgeResults(resumeFrom: number): Promise<void> {
    const { bus } = this.options;
    const info = await bus.streams.info(streams.results);
    if (resumeFrom <= info.firstSequence || info.messages === 0) return;
    const newest = await Promise.all(
      Array.from({ length: this.facts.partitions }, async (_, partition) => {
        const last = await bus.streams.last(streams.results, subjects.results(partition));
        return last?.sequence ?? null;
      }),
    );
    await this.purgeRead(streams.results, resultsKeptFrom(info, resumeFrom, newest));
  }

  /** Removes what a stream's reader no longer needs. */
  private async purgeRead(stream: StreamName, resumeFrom: number): Promise<void> {
    const info = await this.options.bus.streams.info(stream);
    if (resumeFrom > info.firstSequence && info.messages > 0) await this.options.bus.streams.purge(stream, resumeFrom);
  }
}
