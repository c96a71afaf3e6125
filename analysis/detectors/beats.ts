/**
 * Records by eighths of a window ("beats") and template, over the last two windows and what may still come in order: so
 * that what sets in in the middle of a window need not wait for the end of the next one. What holds:
 *
 * B1  A beat ends once, when the watermark has passed it, in order of time; what comes for it later is counted for the
 *     stretches after it, and decides nothing.
 * B2  Only a beat with records decides anything: what a pause says is the silence's to tell, and live lanes, which see a
 *     pause by ticks, and history, which sees it afterwards, decide alike.
 */
import { WindowState } from '#analysis/windows/mod.ts';
import { int32Bytes, int32From } from '#protocol/number-bytes.ts';

export const beatsPerWindow = 8;
/** Beats that a stretch may span: two windows. */
export const stretchMax = 2 * beatsPerWindow;
/** Empty beats in a row that no chance gives are a pause: so many, and so many records that should have come. */
const pauseBeatsMin = 3;
const pauseRecordsMin = 7;

export interface BeatsSnapshot {
  /** head, ended. */
  numbers: number[];
  /** For each beat kept: records, plain ones, slots with records, then slot and records of each. 32-bit integers as bytes. */
  counts: Uint8Array;
}

export class Beats {
  readonly beatMs: number;
  /** Newest event times from here on end a beat. */
  nextEndAtMs = 0;
  /** The last beat that has ended. */
  private ended = -1;
  /** Newest beat that has room. */
  private head = -1;
  private readonly kept: number;
  private readonly records: Int32Array;
  private readonly plain: Int32Array;
  /** By beat, then slot. */
  private readonly slots: Int32Array<ArrayBuffer>[];
  private readonly disorderMs: number;
  private scratch = new Int32Array(0);

  constructor(sizeMs: number, disorderMs: number) {
    this.beatMs = sizeMs / beatsPerWindow;
    this.disorderMs = disorderMs;
    this.kept = stretchMax + Math.ceil(disorderMs / this.beatMs) + 2;
    this.records = new Int32Array(this.kept);
    this.plain = new Int32Array(this.kept);
    this.slots = Array.from({ length: this.kept }, () => new Int32Array(0));
  }

  /** Hot path. */
  add(slot: number, timeMs: number, isDebug: boolean): void {
    const beat = Math.floor(timeMs / this.beatMs);
    if (beat > this.head) this.moveTo(beat);
    else if (beat <= this.head - this.kept) return;
    const at = beat % this.kept;
    this.records[at]!++;
    if (!isDebug) this.plain[at]!++;
    let counts = this.slots[at] as Int32Array<ArrayBuffer>;
    if (slot >= counts.length) {
      const grown = new Int32Array(Math.max(16, 2 ** Math.ceil(Math.log2(slot + 1))));
      grown.set(counts);
      this.slots[at] = counts = grown;
    }
    counts[slot]!++;
  }

  /**
   * Ends the beats up to an event time. Those with records are given, oldest first (B1, B2).
   * @param elapsedMs event time that has run out; what ends later is cut short, and decides nothing
   */
  endUpTo(timeMs: number, elapsedMs: number): number[] {
    const until = Math.floor(timeMs / this.beatMs) - 1;
    const given: number[] = [];
    for (let beat = Math.max(this.ended + 1, this.head - this.kept + 1); beat <= Math.min(until, this.head); beat++)
      if ((this.records[beat % this.kept] as number) > 0 && (beat + 1) * this.beatMs <= elapsedMs) given.push(beat);
    this.setEnded(Math.max(this.ended, until));
    return given;
  }

  recordsOf(beat: number): number {
    return this.has(beat) ? (this.records[beat % this.kept] as number) : 0;
  }

  plainOf(beat: number): number {
    return this.has(beat) ? (this.plain[beat % this.kept] as number) : 0;
  }

  of(slot: number, beat: number): number {
    return this.has(beat) ? ((this.slots[beat % this.kept] as Int32Array)[slot] ?? 0) : 0;
  }

  sum(of: 'recordsOf' | 'plainOf', last: number, beats: number): number {
    let sum = 0;
    for (let beat = last - beats + 1; beat <= last; beat++) sum += this[of](beat);
    return sum;
  }

  sumOf(slot: number, last: number, beats: number): number {
    let sum = 0;
    for (let beat = last - beats + 1; beat <= last; beat++) sum += this.of(slot, beat);
    return sum;
  }

  /** Records of each slot in the window's length that ends with this beat; until the next call. */
  counts(last: number): Int32Array {
    const slots = this.slotsOf(last);
    if (this.scratch.length < slots) this.scratch = new Int32Array(slots);
    const sums = this.scratch.subarray(0, slots).fill(0);
    for (let beat = last - beatsPerWindow + 1; beat <= last; beat++) {
      if (!this.has(beat)) continue;
      const counts = this.slots[beat % this.kept] as Int32Array;
      for (let slot = 0; slot < counts.length; slot++) sums[slot]! += counts[slot] as number;
    }
    return sums;
  }

  /** Beats of a stretch in which it came. */
  spreadOf(slot: number, last: number, beats: number): number {
    let spread = 0;
    for (let beat = last - beats + 1; beat <= last; beat++) if (this.of(slot, beat) > 0) spread++;
    return spread;
  }

  /** Slots that any of the last window's beats may have. */
  slotsOf(last: number): number {
    let most = 0;
    for (let beat = last - beatsPerWindow + 1; beat <= last; beat++)
      if (this.has(beat)) most = Math.max(most, (this.slots[beat % this.kept] as Int32Array).length);
    return most;
  }

  /** Whether a pause lies in the last two windows. @param usual records of a beat */
  hasPause(last: number, usual: number): boolean {
    let run = 0;
    for (let beat = last; beat > last - stretchMax && this.has(beat); beat--) {
      run = this.recordsOf(beat) > 0 ? 0 : run + 1;
      if (run >= pauseBeatsMin && run * usual >= pauseRecordsMin) return true;
    }
    return false;
  }

  /** The window's length that ends with this beat, as if it were a window. */
  window(last: number, samples: readonly string[]): WindowState {
    const first = last - beatsPerWindow + 1;
    const window = new WindowState(first * this.beatMs, beatsPerWindow * this.beatMs);
    const slots = this.slotsOf(last);
    window.slotRecords = new Int32Array(slots);
    window.slotErrors = new Int32Array(slots);
    window.slotMarks = new Uint16Array(slots);
    for (let beat = first; beat <= last; beat++) {
      if (!this.has(beat)) continue;
      const counts = this.slots[beat % this.kept] as Int32Array;
      for (let slot = 0; slot < counts.length; slot++) {
        const count = counts[slot] as number;
        if (count === 0) continue;
        window.slotRecords[slot]! += count;
        window.slotMarks[slot]! |= 1 << (beat - first);
      }
      window.eighths[beat - first] = this.recordsOf(beat);
      window.counts[0]! += this.plainOf(beat);
      window.counts[1]! += this.recordsOf(beat) - this.plainOf(beat);
    }
    window.newestMs = window.endMs;
    window.samples = samples.slice();
    return window;
  }

  /** The slot has another template now. */
  forget(slot: number): void {
    for (const counts of this.slots) if (slot < counts.length) counts[slot] = 0;
  }

  snapshot(): BeatsSnapshot {
    const numbers: number[] = [];
    for (let beat = this.head - this.kept + 1; beat <= this.head; beat++) {
      const at = ((beat % this.kept) + this.kept) % this.kept;
      const entries = [...(this.slots[at] as Int32Array).entries()].filter(([, count]) => count > 0);
      numbers.push(this.records[at] as number, this.plain[at] as number, entries.length, ...entries.flat());
    }
    return { numbers: [this.head, this.ended], counts: int32Bytes(Int32Array.from(numbers)) };
  }

  restore(state: BeatsSnapshot): void {
    this.head = state.numbers[0] ?? -1;
    this.setEnded(state.numbers[1] ?? -1);
    const numbers = int32From(state.counts);
    let from = 0;
    for (let beat = this.head - this.kept + 1; beat <= this.head; beat++) {
      const at = ((beat % this.kept) + this.kept) % this.kept;
      const entries = numbers[from + 2] as number;
      this.records[at] = numbers[from] as number;
      this.plain[at] = numbers[from + 1] as number;
      from += 3;
      const last = entries === 0 ? -1 : (numbers[from + 2 * entries - 2] as number);
      const counts = new Int32Array(last < 0 ? 0 : Math.max(16, 2 ** Math.ceil(Math.log2(last + 1))));
      for (let i = 0; i < entries; i++, from += 2) counts[numbers[from] as number] = numbers[from + 1] as number;
      this.slots[at] = counts;
    }
  }

  private has(beat: number): boolean {
    return beat >= 0 && beat <= this.head && beat > this.head - this.kept;
  }

  private setEnded(beat: number): void {
    this.ended = beat;
    this.nextEndAtMs = beat < 0 ? 0 : (beat + 2) * this.beatMs + this.disorderMs;
  }

  private moveTo(beat: number): void {
    if (this.head < 0) this.setEnded(beat - stretchMax);
    const from = Math.max(this.head + 1, beat - this.kept + 1);
    for (let one = from; one <= beat; one++) {
      const at = one % this.kept;
      this.records[at] = 0;
      this.plain[at] = 0;
      (this.slots[at] as Int32Array).fill(0);
    }
    this.head = beat;
  }
}
