import { pack, unpack } from '#protocol/frame.ts';
import { sampleOf } from './sample.ts';
import { type SketchSnapshot, ValueSketch } from './sketch.ts';

/** Class of a severity number: 0 unknown, 1 debug and trace, 2 info, 3 warn, 4 error, 5 critical, 6 fatal. */
export const classOfSeverity = Uint8Array.from({ length: 25 }, (_, severity) => {
  if (severity === 0) return 0;
  if (severity <= 8) return 1;
  if (severity <= 12) return 2;
  if (severity <= 16) return 3;
  if (severity === 17) return 4;
  return severity <= 20 ? 5 : 6;
});
export const classes = { unknown: 0, debug: 1, info: 2, warn: 3, error: 4, critical: 5, fatal: 6 } as const;

/** Slots over this are counted in the totals only: a miner keeps far fewer templates. */
const slotMax = 65_535;
const samplesMax = 3;
/** Shared by all closed windows: a service keeps some thirty of them. */
const noCounts = new Int32Array(0);
const noMarks = new Uint16Array(0);
const nothingSeen = new Uint8Array(0);

/** One record on its way through the analysis: one object for all of them, filled anew each time. */
export interface ObservedEvent {
  /** Event time, ms since 1970. */
  timeMs: number;
  /** Largest stream time seen, ms since 1970. */
  streamTimeMs: number;
  /** LOGS sequence of the message that brought it. */
  sequence: number;
  /** 0–24: the sender's, or the classifier's where the sender said none. */
  severityNumber: number;
  /** The sender said the severity. */
  isStated: boolean;
  /** What the classifier gives for its being an error, 0–1; of no account where the severity is stated. */
  errorChance: number;
  templateSlot: number;
  /** First sight of the template by this service and lane. */
  isNewTemplate: boolean;
  /** Numbers found in the message: [0, numberCount). */
  numbers: Float64Array;
  numberCount: number;
  /** Body: bytes [start, end), UTF-8. */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Trace id of the record as text; left out or empty: it has none. */
  trace?: ByteSpan;
}

/** Bytes [start, end), UTF-8. */
export interface ByteSpan {
  bytes: Uint8Array;
  start: number;
  end: number;
}

/** Without names: a service keeps some thirty windows, and its checkpoint is mostly these. */
type WindowSnapshot = [
  startMs: number,
  counts: number[],
  newTemplates: number,
  late: number,
  newestOffsetMs: number,
  publishedCount: number,
  failures: number,
  values: SketchSnapshot,
  /** One bit per slot seen; null while the window is open. */
  seen: Uint8Array | null,
  /** While open: slot, records, errors, warnings, marks, … */
  slots: number[],
  /** While open: records by eighth. */
  eighths: number[],
  errorSamples: string[],
  errorSampleSlots: number[],
  samples: string[],
];

/**
 * Counters of one window. Open: records and errors by template slot in typed arrays, so that a record costs two
 * increments. Closed: one bit per template, which is what a late record needs to count templates right.
 */
export class WindowState {
  readonly startMs: number;
  readonly endMs: number;
  closed = false;
  /** By severity class; the sum is the number of records. */
  readonly counts = new Int32Array(7);
  newTemplates = 0;
  late = 0;
  /**
   * Errors, critical and fatal ones together, as detectors count them: where the sender says no severity, by all that
   * is known of the template, which may differ from `counts`.
   */
  failures = 0;
  /** Newest event in it; the start while there is none. */
  newestMs: number;
  /** Records it had when it was last published before closing; −1: never. */
  publishedCount = -1;
  values = new ValueSketch();
  slotRecords = noCounts;
  slotErrors = noCounts;
  slotWarnings = noCounts;
  /** By slot: bit i for a record in the i-th eighth of the window, bit 8 + class for its severity class. */
  slotMarks = noMarks;
  /** Records in each eighth of the window. */
  readonly eighths = new Int32Array(8);
  errorSamples: string[] = [];
  samples: string[] = [];
  private errorSampleSlots: number[] = [];
  /** Of a closed window, packed: a service keeps some thirty of them, which a checkpoint need not pack again. */
  private packed: Uint8Array | null = null;
  private seen = nothingSeen;

  constructor(startMs: number, sizeMs: number) {
    this.startMs = startMs;
    this.endMs = startMs + sizeMs;
    this.newestMs = startMs;
  }

  get logCount(): number {
    let sum = 0;
    for (let i = 0; i < 7; i++) sum += this.counts[i] as number;
    return sum;
  }

  get templateCount(): number {
    let sum = 0;
    if (this.closed) {
      for (const byte of this.seen) for (let bits = byte; bits !== 0; bits &= bits - 1) sum++;
    } else {
      for (const records of this.slotRecords) if (records > 0) sum++;
    }
    return sum;
  }

  /** @param severityClass what detectors take it for */
  add(event: ObservedEvent, timeMs: number, severityClass: number): void {
    if (this.closed) this.packed = null;
    this.counts[classOfSeverity[event.severityNumber] ?? 0]!++;
    if (severityClass >= 4) this.failures++;
    if (timeMs > this.newestMs) this.newestMs = timeMs;
    if (event.isNewTemplate) this.newTemplates++;
    const slot = event.templateSlot;
    if (this.closed) {
      this.mark(slot);
    } else if (slot <= slotMax) {
      if (slot >= this.slotRecords.length) this.grow(slot);
      this.slotRecords[slot]!++;
      const eighth = Math.floor((8 * (timeMs - this.startMs)) / (this.endMs - this.startMs));
      this.slotMarks[slot]! |= (1 << eighth) | (256 << severityClass);
      this.eighths[eighth]!++;
      if (severityClass >= 4) this.slotErrors[slot]!++;
      else if (severityClass === 3) this.slotWarnings[slot]!++;
      if (severityClass >= 4 && this.errorSamples.length < samplesMax) this.keepErrorSample(event);
      else if (this.samples.length < samplesMax) this.samples.push(sampleOf(event.bytes, event.start, event.end));
    }
    const { numbers, numberCount } = event;
    for (let i = 0; i < numberCount; i++) this.values.add(numbers[i] as number);
  }

  /** What stays of a closed window is what a late record can change. */
  close(): void {
    let last = this.slotRecords.length;
    while (last > 0 && this.slotRecords[last - 1] === 0) last--;
    this.seen = new Uint8Array((last + 7) >> 3);
    for (let slot = 0; slot < last; slot++)
      if ((this.slotRecords[slot] as number) > 0) this.seen[slot >> 3]! |= 1 << (slot & 7);
    this.closed = true;
    this.values.compact();
  }

  /** Drops what only the detectors needed, once they have seen the window. */
  strip(): void {
    this.packed = null;
    this.slotRecords = noCounts;
    this.slotErrors = noCounts;
    this.slotWarnings = noCounts;
    this.slotMarks = noMarks;
    this.errorSamples = [];
    this.errorSampleSlots = [];
    this.samples = [];
  }

  /** `snapshot`, packed. */
  bytes(): Uint8Array {
    if (!this.closed) return pack(this.snapshot());
    // Copied out of the packer's pool, which it would keep whole.
    this.packed ??= Uint8Array.from(pack(this.snapshot()));
    return this.packed;
  }

  static fromBytes(bytes: Uint8Array, sizeMs: number): WindowState {
    return WindowState.restore(unpack(bytes) as WindowSnapshot, sizeMs);
  }

  snapshot(): WindowSnapshot {
    const slots: number[] = [];
    for (let slot = 0; slot < this.slotRecords.length; slot++) {
      const records = this.slotRecords[slot] as number;
      if (records === 0) continue;
      slots.push(slot, records, this.slotErrors[slot] as number, this.slotWarnings[slot] as number);
      slots.push(this.slotMarks[slot] as number);
    }
    return [
      this.startMs,
      Array.from(this.counts),
      this.newTemplates,
      this.late,
      this.newestMs - this.startMs,
      this.publishedCount,
      this.failures,
      this.values.snapshot(),
      this.closed ? this.seen.slice() : null,
      slots,
      this.closed ? [] : Array.from(this.eighths),
      this.errorSamples.slice(),
      this.errorSampleSlots.slice(),
      this.samples.slice(),
    ];
  }

  private static restore(state: WindowSnapshot, sizeMs: number): WindowState {
    const [startMs, counts, newTemplates, late, newestOffsetMs, publishedCount, failures, ...rest] = state;
    const [values, seen, slots, eighths, errorSamples, errorSampleSlots, samples] = rest;
    const window = new WindowState(startMs, sizeMs);
    window.counts.set(counts);
    window.newTemplates = newTemplates;
    window.late = late;
    window.newestMs = startMs + newestOffsetMs;
    window.publishedCount = publishedCount;
    window.failures = failures;
    window.values = ValueSketch.restore(values);
    window.closed = seen !== null;
    if (seen !== null) window.seen = Uint8Array.from(seen);
    for (let i = 0; i < slots.length; i += 5) {
      const slot = slots[i] as number;
      if (slot >= window.slotRecords.length) window.grow(slot);
      window.slotRecords[slot] = slots[i + 1] as number;
      window.slotErrors[slot] = slots[i + 2] as number;
      window.slotWarnings[slot] = slots[i + 3] as number;
      window.slotMarks[slot] = slots[i + 4] as number;
    }
    window.eighths.set(eighths);
    window.errorSamples = errorSamples.slice();
    window.errorSampleSlots = errorSampleSlots.slice();
    window.samples = samples.slice();
    return window;
  }

  /** Errors of different templates tell more than three times the same one. */
  private keepErrorSample(event: ObservedEvent): void {
    if (this.errorSampleSlots.includes(event.templateSlot)) return;
    this.errorSampleSlots.push(event.templateSlot);
    this.errorSamples.push(sampleOf(event.bytes, event.start, event.end));
  }

  private grow(slot: number): void {
    let size = Math.max(16, this.slotRecords.length);
    while (size <= slot) size *= 2;
    this.slotRecords = grown(this.slotRecords, size);
    this.slotErrors = grown(this.slotErrors, size);
    this.slotWarnings = grown(this.slotWarnings, size);
    const marks = new Uint16Array(size);
    marks.set(this.slotMarks);
    this.slotMarks = marks;
  }

  private mark(slot: number): void {
    if (slot > slotMax) return;
    const at = slot >> 3;
    if (at >= this.seen.length) {
      const seen = new Uint8Array(at + 1);
      seen.set(this.seen);
      this.seen = seen;
    }
    this.seen[at]! |= 1 << (slot & 7);
  }
}

function grown(counts: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const result = new Int32Array(size);
  result.set(counts);
  return result;
}
