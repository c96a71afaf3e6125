/** Seeded record streams for the tests and benchmarks of this folder. */
import type { Anomaly, WindowRow } from '#protocol/findings.ts';
import {
  type AnalysisConfig,
  type Findings,
  type ObservedEvent,
  parseAnalysisConfig,
  ServiceAnalysis,
  type ServiceAnalysisSnapshot,
} from './mod.ts';

export interface TestRecord {
  timeMs: number;
  streamTimeMs?: number;
  severity: number;
  slot: number;
  body: string;
  numbers?: number[];
}

/** mulberry32: a small seeded generator of numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Poisson-distributed count, by Knuth's product for small means and a rounded normal for large ones. */
export function poissonOf(random: () => number, mean: number): number {
  if (mean > 50) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

export const texts = [
  'request <*> served in <*> ms',
  'cache refreshed with <*> entries',
  'user <*> logged in',
  'slow query took <*> ms',
  'retry <*> of job <*>',
  'connection to <*> refused',
  'payment <*> failed: card declined',
  'disk <*> is full',
];

export const host = {
  templateOf: (slot: number) => ({
    id: slot.toString(16).padStart(16, '0'),
    text: texts[slot % texts.length] as string,
    firstSeenMs: 0,
  }),
};

export const startMs = 1_700_000_010_000;

export interface StreamOptions {
  seed: number;
  minutes: number;
  /** Records per second. */
  rate: number;
  /** Changes the rates at an offset in ms: returns factors for all records and for errors. */
  shape?: (offsetMs: number) => { volume?: number; errors?: number; latency?: number };
  fromMs?: number;
}

/** A service's ordinary day: mostly info, some warnings, few errors, latencies around 40 ms, disorder up to 2 s. */
export function ordinary({ seed, minutes, rate, shape, fromMs = startMs }: StreamOptions): TestRecord[] {
  const random = randomOf(seed);
  const records: TestRecord[] = [];
  for (let second = 0; second < minutes * 60; second++) {
    const { volume = 1, errors = 1, latency = 1 } = shape?.(second * 1000) ?? {};
    const add = (count: number, severity: number, slot: number, body: (n: number) => string): void => {
      for (let i = 0; i < count; i++) {
        const timeMs = fromMs + second * 1000 + Math.floor(random() * 1000);
        const number = Math.round(40 * latency * Math.exp(0.4 * (random() + random() + random() - 1.5)));
        records.push({ timeMs, severity, slot, body: body(number), numbers: slot === 0 || slot === 3 ? [number] : [] });
      }
    };
    add(poissonOf(random, rate * 0.7 * volume), 9, 0, (n) => `request ${n} served in ${n} ms`);
    add(poissonOf(random, rate * 0.15 * volume), 9, 1, (n) => `cache refreshed with ${n} entries`);
    add(poissonOf(random, rate * 0.1 * volume), 9, 2, (n) => `user ${n} logged in`);
    add(poissonOf(random, rate * 0.03 * volume), 13, 3, (n) => `slow query took ${n} ms`);
    add(poissonOf(random, rate * 0.02 * volume * errors), 17, 5, (n) => `connection to 10.0.0.${n} refused`);
  }
  // Arrival in order of time plus a delay of up to 2 s.
  return records
    .map((record) => ({ record, arrival: record.timeMs + random() * 2000 }))
    .sort((a, b) => a.arrival - b.arrival)
    .map(({ record }) => record);
}

export function emptyFindings(): Findings {
  return { windows: [], anomalies: [], lateCount: 0, futureCount: 0 };
}

export function blankEvent(): ObservedEvent {
  return {
    timeMs: 0,
    streamTimeMs: 0,
    sequence: 0,
    severityNumber: 0,
    templateSlot: 0,
    isNewTemplate: false,
    isStated: true,
    errorChance: 0,
    numbers: new Float64Array(8),
    numberCount: 0,
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
  };
}

const encoder = new TextEncoder();

/** Drives a service record by record and gathers what it finds. */
export class Driver {
  analysis: ServiceAnalysis;
  readonly out = emptyFindings();
  readonly config: AnalysisConfig;
  readonly identity: { service: string; lane: string; live: boolean };
  sequence = 0;
  private seen: Set<number>;
  private readonly event: ObservedEvent;

  constructor(options: { config?: unknown; live?: boolean; service?: string } = {}) {
    this.config = parseAnalysisConfig(options.config ?? {});
    const live = options.live ?? false;
    this.identity = { service: options.service ?? 'payments', lane: live ? 'live' : 'job-1', live };
    this.analysis = new ServiceAnalysis(this.config, this.identity, host);
    this.seen = new Set();
    this.event = blankEvent();
  }

  /** One message of records. Stream time follows event time unless the record says otherwise. */
  send(records: readonly TestRecord[]): void {
    this.sequence++;
    const { event } = this;
    for (const record of records) {
      event.timeMs = record.timeMs;
      event.streamTimeMs = record.streamTimeMs ?? record.timeMs;
      event.sequence = this.sequence;
      event.severityNumber = record.severity;
      event.templateSlot = record.slot;
      event.isNewTemplate = !this.seen.has(record.slot);
      this.seen.add(record.slot);
      event.numberCount = record.numbers?.length ?? 0;
      for (let i = 0; i < event.numberCount; i++) event.numbers[i] = record.numbers?.[i] as number;
      event.bytes = encoder.encode(`##${record.body}##`);
      event.start = 2;
      event.end = event.bytes.length - 2;
      this.analysis.observe(event, this.out);
    }
    this.analysis.flush(this.sequence, this.out);
  }

  sendIn(records: readonly TestRecord[], batch: number): this {
    for (let at = 0; at < records.length; at += batch) this.send(records.slice(at, at + batch));
    return this;
  }

  tick(streamTimeMs: number): void {
    this.analysis.tick(streamTimeMs, ++this.sequence, this.out);
  }

  end(): this {
    this.analysis.end(++this.sequence, this.out);
    return this;
  }

  /** A second driver that continues from a snapshot of this one. */
  fork(snapshot: unknown): Driver {
    const other = new Driver({ config: this.config, live: this.identity.live, service: this.identity.service });
    other.analysis = ServiceAnalysis.restore(this.config, this.identity, host, snapshot as ServiceAnalysisSnapshot);
    other.sequence = this.sequence;
    other.seen = new Set(this.seen);
    return other;
  }

  /** Final versions of windows by start. */
  windows(): WindowRow[] {
    const rows = new Map<number, WindowRow>();
    for (const row of this.out.windows) rows.set(row.startMs, row);
    return [...rows.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /** Final versions of anomalies, in order of opening. */
  anomalies(): Anomaly[] {
    const rows = new Map<string, Anomaly>();
    for (const row of this.out.anomalies) rows.set(row.anomalyId, row);
    return [...rows.values()];
  }
}
