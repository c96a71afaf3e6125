/**
 * An incident is one anomaly from opening to closing: the same id, each state of it a new version. Within one step
 * (one LOGS sequence) it is written once; later changes in that step go into the object already written. While it goes
 * on it is written as open, however far apart its versions are; its end is written too.
 */
import type { PlaceValues, TemplateKin } from '#analysis/templates/mod.ts';
import type { WindowState } from '#analysis/windows/mod.ts';
import type { Anomaly, Influencer, WindowRow } from '#protocol/findings.ts';
import { fnv1a32 } from '#protocol/partitioner.ts';

/** The host's knowledge of templates, for matching and for what people read. May throw for a slot that is gone. */
export interface TemplateInfo {
  id: string;
  text: string;
  /** Event time of its first record, ms; 0: not known. */
  firstSeenMs: number;
}
export interface AnalysisHost {
  templateOf(slot: number): TemplateInfo;
  /** Values of a body at the variable places of its template, until the next call. Left out: nothing is known of them. */
  valuesOf?(slot: number, bytes: Uint8Array, start: number, end: number): PlaceValues;
  /** Templates that differ from this one in one word, at the place where most do. */
  kinOf?(slot: number): TemplateKin | null;
}

export interface Findings {
  windows: WindowRow[];
  anomalies: Anomaly[];
  /** Records that came after their window had closed, whether they revised it or were too late even for that. */
  lateCount: number;
  /** Records whose event time was too far ahead of stream time. */
  futureCount: number;
}

/** What every detector is given at a step; one object per service, its fields moved on by the service. */
export interface StepContext {
  readonly service: string;
  readonly lane: string;
  readonly live: boolean;
  readonly host: AnalysisHost;
  sequence: number;
  out: Findings;
  watermarkMs: number;
  lateCount: number;
}

export interface IncidentSnapshot {
  row: Anomaly;
}

const samplesMax = 3;
const encoder = new TextEncoder();

export class Incident {
  readonly row: Anomaly;
  /** The object written in the present step; not part of the state. */
  private written: Anomaly | null = null;

  private constructor(row: Anomaly) {
    this.row = row;
  }

  static open(context: StepContext, detector: string, subject: string, startMs: number): Incident {
    return new Incident({
      anomalyId: anomalyIdOf(context.service, context.lane, detector, subject, startMs),
      service: context.service,
      lane: context.lane,
      detector,
      subject,
      startMs,
      endMs: startMs,
      decidedAtMs: startMs,
      score: 0,
      actual: 0,
      typical: 0,
      description: '',
      influencers: [],
      samples: [],
      watermarkMs: context.watermarkMs,
      lateCount: context.lateCount,
      revised: false,
      open: false,
      version: 0,
      eventMs: startMs,
    });
  }

  /** Moves the incident on by a closed window. The first one decides it. */
  extend(window: WindowState, context: StepContext): void {
    const { row } = this;
    if (row.version === 0) row.decidedAtMs = window.endMs;
    row.endMs = window.endMs;
    row.eventMs = window.newestMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
  }

  /** Keeps the highest score with the value that gave it. True where this is the new peak. */
  peak(score: number, actual: number, typical: number): boolean {
    const { row } = this;
    if (row.version !== 0 && score <= row.score) return false;
    row.score = score;
    row.actual = actual;
    row.typical = typical;
    return true;
  }

  addSamples(samples: readonly string[]): void {
    for (const sample of samples) {
      if (this.row.samples.length >= samplesMax) return;
      if (sample !== '' && !this.row.samples.includes(sample)) this.row.samples.push(sample);
    }
  }

  /** Writes the present state as a version of this step. The incident goes on: its `end` has to follow. */
  write(context: StepContext): void {
    this.writeAs(true, context);
  }

  /** Writes the state with which it ends, or one that nothing has to follow. */
  end(context: StepContext): void {
    this.writeAs(false, context);
  }

  private writeAs(open: boolean, context: StepContext): void {
    const { row } = this;
    row.open = open;
    row.version = context.sequence;
    if (this.written !== null && this.written.version === row.version) {
      Object.assign(this.written, copyOf(row));
      return;
    }
    this.written = copyOf(row);
    context.out.anomalies.push(this.written);
  }

  snapshot(): IncidentSnapshot {
    return { row: copyOf(this.row) };
  }

  static restore(state: IncidentSnapshot): Incident {
    return new Incident(copyOf(state.row));
  }
}

function copyOf(row: Anomaly): Anomaly {
  return { ...row, influencers: row.influencers.map((one) => ({ ...one })), samples: row.samples.slice() };
}

/** 16 hex digits from two FNV-1a hashes of the same text, the second over a salted one. */
export function anomalyIdOf(service: string, lane: string, detector: string, subject: string, startMs: number): string {
  const text = [service, lane, detector, subject, startMs].join('\u0000');
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  return (
    hex(fnv1a32(encoder.encode(text))) + hex(fnv1a32(encoder.encode(`${text}\u0001`.split('').reverse().join(''))))
  );
}

/** The templates with the largest counts, as influencers; their share is of all counts. */
export function topTemplates(counts: Iterable<readonly [number, number]>, host: AnalysisHost, most = 3): Influencer[] {
  const entries = [...counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  let total = 0;
  for (const [, count] of entries) total += count;
  return entries.slice(0, most).map(([slot, count]) => ({
    kind: 'template' as const,
    name: templateText(host, slot),
    share: Math.round((count / total) * 1000) / 1000,
  }));
}

/** Text of a template, cut; a slot that is gone says so. */
export function templateText(host: AnalysisHost, slot: number): string {
  const text = templateInfo(host, slot)?.text ?? '(forgotten template)';
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

export function templateInfo(host: AnalysisHost, slot: number): TemplateInfo | null {
  try {
    return host.templateOf(slot);
  } catch {
    return null;
  }
}

/** The same template under another slot, which has records in this window: the miner merged the two. */
export function hasMoved(slot: number, window: WindowState, host: AnalysisHost): boolean {
  const own = templateInfo(host, slot);
  if (own === null) return true;
  for (const [other] of entriesOf(window.slotRecords))
    if (other !== slot && templateInfo(host, other)?.id === own.id) return true;
  return false;
}

/** Entries of counts by slot, for `topTemplates`. */
export function* entriesOf(counts: Int32Array): Generator<readonly [number, number]> {
  for (let slot = 0; slot < counts.length; slot++)
    if ((counts[slot] as number) > 0) yield [slot, counts[slot] as number];
}
