/**
 * A partition over records of the past: the analysis that workers run, with a configuration, a model and corrections that
 * hold from its first record on. Nothing is published; what is found is handed over. Pure: the same records and
 * settings give the same findings.
 */
import {
  type Anomaly,
  BatchBuilder,
  type ControlMessage,
  encodeLogsMessage,
  liveLane,
  LogweirError,
  type LogsMessage,
  type RecordBatch,
  type RecordView,
  type Section,
  type ToldCorrection,
} from '#protocol/mod.ts';
import { Partition } from './partition.ts';
import { builtInModels, type ModelSource } from './partition-models.ts';

export interface PastSettings {
  /** Raw `analysis` section of a configuration; undefined: the defaults. */
  analysis?: unknown;
  /** Of the model that classifies; '' is the built-in one. */
  modelHash?: string;
  models?: ModelSource;
  corrections?: readonly ToldCorrection[];
}

/** A version of an anomaly, and the stream time at which it was found, ms. */
export type OnFound = (anomaly: Anomaly, streamMs: number) => void;

/** Stream time between two ticks, by which the silence of one service shows beside the others. */
const tickMs = 5_000;

export class PastPartition {
  private readonly partition: Partition;
  private readonly onFound: OnFound;
  private readonly tick = encodeLogsMessage({ kind: 'tick' });
  private sequence = 0;
  private nextTickMs = Number.NEGATIVE_INFINITY;

  constructor(partition: number, settings: PastSettings, onFound: OnFound) {
    const { analysis, modelHash = '', models = builtInModels, corrections = [] } = settings;
    this.partition = new Partition(partition, { models });
    this.onFound = onFound;
    if (analysis !== undefined) this.tell({ kind: 'analysis', version: 1, config: analysis });
    if (modelHash !== '') this.tell({ kind: 'model', version: 1, hash: modelHash });
    if (corrections.length > 0) this.tell({ kind: 'corrections', version: 1, items: [...corrections] });
  }

  private tell(control: ControlMessage): void {
    const { deadLetter } = this.step(encodeLogsMessage({ kind: 'control', control }), 0);
    if (deadLetter !== null) throw new LogweirError('CONFIG_INVALID', deadLetter, 'Correct it, then run this again.');
  }

  get services(): number {
    return this.partition.services;
  }

  /** Ticks up to a stream time; more than `ticksMax` at once are left out, as the recording had a gap then. */
  passTo(streamMs: number, ticksMax = Number.POSITIVE_INFINITY): void {
    if (this.nextTickMs === Number.NEGATIVE_INFINITY) this.nextTickMs = streamMs + tickMs;
    if (streamMs < this.nextTickMs) return;
    if (streamMs - this.nextTickMs <= tickMs * ticksMax)
      for (; this.nextTickMs <= streamMs; this.nextTickMs += tickMs) this.step(this.tick, this.nextTickMs);
    this.nextTickMs = streamMs + tickMs;
  }

  /** Whether `passTo` would tick. */
  isDue(streamMs: number): boolean {
    return streamMs >= this.nextTickMs;
  }

  batch(batch: RecordBatch, streamMs: number): void {
    this.take({ kind: 'batch', batch }, streamMs);
  }

  /** Closes every window of a lane. */
  end(lane: string, streamMs: number): void {
    this.take({ kind: 'end', lane }, streamMs);
  }

  private take(message: LogsMessage, streamMs: number): void {
    this.step(encodeLogsMessage(message), streamMs);
  }

  private step(data: Uint8Array, timeMs: number): Section {
    const { section } = this.partition.step({ sequence: ++this.sequence, timeMs, data });
    for (const anomaly of section.anomalies) this.onFound(anomaly, this.partition.streamMs);
    return section;
  }
}

const batchRows = 1_000;
/** Nothing at all was logged for longer than so many ticks: that is a gap of the recording, not the silence of a service. */
const ticksInGapMax = 500;

/** Records in order of reading to anomalies: one partition, whose stream time is the newest event time. */
export class RecordFold {
  private readonly past: PastPartition;
  private readonly builder = new BatchBuilder(liveLane, 'past');
  private newestMs = Number.NEGATIVE_INFINITY;
  /** Services that were read of; known once the fold has ended. */
  services = 0;

  constructor(settings: PastSettings, onFound: OnFound) {
    this.past = new PastPartition(0, settings, onFound);
  }

  add(view: RecordView): void {
    const { timeMs } = view;
    if (timeMs > this.newestMs) {
      if (this.past.isDue(timeMs)) {
        this.flush();
        this.past.passTo(timeMs, ticksInGapMax);
      }
      this.newestMs = timeMs;
    }
    this.builder.add(view, timeMs);
    if (this.builder.rows >= batchRows) this.flush();
  }

  /** Closes every window. */
  end(): void {
    this.flush();
    this.services = this.past.services;
    this.past.end(liveLane, this.newestMs);
  }

  private flush(): void {
    const batch = this.builder.take();
    if (batch !== null) this.past.batch(batch, this.newestMs);
  }
}
