/**
 * What is usual for each template of a service: its rate, how its windows scatter, its gaps, its largest window. One
 * row of numbers per slot in flat arrays, one pass over them per closed window.
 */
import type { WindowState } from '#analysis/windows/mod.ts';
import { doubleBytes, doublesFrom } from '#protocol/number-bytes.ts';

/** Numbers kept per slot, in this order. */
const columns = [
  /** Window number of its first record; −1: no such template. */
  'first',
  /** Window number of its last record. */
  'last',
  /** The last eighth of that window that had one. */
  'lastEighth',
  /** Mean records per window, over the windows up to the last record. */
  'mean',
  /** Mean squared difference between neighbouring windows, halved: its variance without slow changes. */
  'variance',
  /** Largest window but the last one, fading. */
  'most',
  /** Most that came in both of two windows in a row, but the last two, fading; and of the last two. */
  'long',
  'pair',
  /** Longest run of windows without a record, between two with one. */
  'gap',
  /** Longest run of eighths without a record, between two with one. */
  'lull',
  /** Windows with records. */
  'active',
  /** Records of the window before. */
  'before',
  /** Eighths of the window before that had records. */
  'spread',
  /** Mean share of the eighths of a window that have records. */
  'presence',
  /** Highest severity class seen. */
  'class',
  /** All records, up to a million. */
  'total',
  /** 1: that it has vanished is told, or known to be harmless. */
  'told',
] as const;
type Column = (typeof columns)[number];
const width = columns.length;
const offset = Object.fromEntries(columns.map((name, i) => [name, i])) as Record<Column, number>;

/** Windows over which the mean fades to 1/e, and the largest window to a half. */
const horizon = 60;
const mostFading = 0.5 ** (1 / 1440);
/** A template not seen for so many windows is forgotten. */
const forgetWindows = 2 * 2880;

export interface TemplateTableSnapshot {
  slots: number[];
  /** Doubles as bytes, slot after slot. */
  rows: Uint8Array;
}

export class TemplateTable {
  slots = 0;
  /** Rises when a record changes the table; closed windows apart. */
  version = 0;
  private rows = new Float64Array(0);

  get(slot: number, column: Column): number {
    return slot < this.slots ? (this.rows[slot * width + offset[column]] as number) : column === 'first' ? -1 : 0;
  }

  set(slot: number, column: Column, value: number): void {
    if (slot < this.slots) this.rows[slot * width + offset[column]] = value;
  }

  has(slot: number): boolean {
    return this.get(slot, 'first') >= 0;
  }

  startOver(): void {
    for (let slot = 0; slot < this.slots; slot++) this.clear(slot);
  }

  /** The slot has another template now. */
  forget(slot: number): void {
    if (!this.has(slot)) return;
    this.version++;
    this.clear(slot);
  }

  /**
   * Takes a closed window in.
   * @param at number of the window (start / size)
   * @param learn false within an incident of the whole service: templates are seen, but not what is usual for them
   * @param frozen the same for single slots
   */
  push(window: WindowState, at: number, learn: boolean, frozen: (slot: number) => boolean): void {
    const { slotRecords, slotMarks } = window;
    this.grow(slotRecords.length);
    const { rows } = this;
    for (let slot = 0; slot < this.slots; slot++) {
      const row = slot * width;
      const records = slot < slotRecords.length ? (slotRecords[slot] as number) : 0;
      if ((rows[row] as number) < 0) {
        if (records > 0) {
          this.begin(slot, records, (slotMarks[slot] as number) >> 8, at);
          rows[row + offset.lastEighth] = topBit((slotMarks[slot] as number) & 255);
        }
        continue;
      }
      if (records > 0) {
        const severity = topBit((slotMarks[slot] as number) >> 8);
        if (severity > (rows[row + offset.class] as number)) rows[row + offset.class] = severity;
        this.take(row, records, (slotMarks[slot] as number) & 255, at, learn && !frozen(slot));
        rows[row + offset.lastEighth] = topBit((slotMarks[slot] as number) & 255);
      } else if (at - (rows[row + offset.last] as number) > forgetWindows) this.clear(slot);
      rows[row + offset.before] = records;
      rows[row + offset.spread] = records === 0 ? 0 : popCount((slotMarks[slot] as number) & 255);
    }
  }

  snapshot(): TemplateTableSnapshot {
    const slots: number[] = [];
    for (let slot = 0; slot < this.slots; slot++) if (this.has(slot)) slots.push(slot);
    const rows = new Float64Array(slots.length * width);
    for (const [i, slot] of slots.entries()) rows.set(this.rows.subarray(slot * width, (slot + 1) * width), i * width);
    return { slots, rows: doubleBytes(rows) };
  }

  restore(state: TemplateTableSnapshot): void {
    const rows = doublesFrom(state.rows);
    this.slots = 0;
    this.grow((state.slots.at(-1) ?? -1) + 1);
    for (const [i, slot] of state.slots.entries())
      this.rows.set(rows.subarray(i * width, (i + 1) * width), slot * width);
  }

  private begin(slot: number, records: number, classes: number, at: number): void {
    const row = slot * width;
    const { rows } = this;
    rows.fill(0, row, row + width);
    rows[row + offset.first] = at;
    rows[row + offset.last] = at;
    rows[row + offset.mean] = records;
    rows[row + offset.variance] = records;
    rows[row + offset.active] = 1;
    rows[row + offset.before] = records;
    rows[row + offset.class] = topBit(classes);
    rows[row + offset.total] = records;
  }

  /** Records after `empty` windows without. Those windows count only now, so that a template that stops keeps its rate. */
  private take(row: number, records: number, eighths: number, at: number, learn: boolean): void {
    const { rows } = this;
    const spread = popCount(eighths);
    const empty = Math.max(0, at - (rows[row + offset.last] as number) - 1);
    const lullBefore = 8 * empty + 7 - (rows[row + offset.lastEighth] as number);
    rows[row + offset.last] = at;
    rows[row + offset.active] = (rows[row + offset.active] as number) + 1;
    rows[row + offset.total] = Math.min(1e6, (rows[row + offset.total] as number) + records);
    rows[row + offset.told] = 0;
    if (!learn) return;
    if (empty > (rows[row + offset.gap] as number)) rows[row + offset.gap] = empty;
    rows[row + offset.lull] = Math.max(rows[row + offset.lull] as number, longestLull(lullBefore, eighths));
    const most = (rows[row + offset.most] as number) * mostFading ** (empty + 1);
    // A window that is far larger than any teaches nothing yet: the next one tells whether it was the first of many.
    if (records <= 3 * most + 8) {
      const before = empty > 0 ? 0 : (rows[row + offset.before] as number);
      const age = at - (rows[row + offset.first] as number) + 1;
      const rate = 1 / Math.min(age, horizon);
      const fade = (1 - rate) ** empty;
      const mean = (rows[row + offset.mean] as number) * fade;
      rows[row + offset.mean] = mean + rate * (records - mean);
      const presence = (rows[row + offset.presence] as number) * fade;
      rows[row + offset.presence] = presence + rate * (spread / 8 - presence);
      const variance = (rows[row + offset.variance] as number) * fade;
      rows[row + offset.variance] = variance + rate * ((records - before) ** 2 / 2 - variance);
    }
    // One window late: the first window of a burst must not hide the second.
    rows[row + offset.most] = Math.max(most, rows[row + offset.before] as number);
    const long = (rows[row + offset.long] as number) * mostFading ** (empty + 1);
    rows[row + offset.long] = Math.max(long, rows[row + offset.pair] as number);
    rows[row + offset.pair] = empty > 0 ? 0 : Math.min(records, rows[row + offset.before] as number);
  }

  private clear(slot: number): void {
    this.rows.fill(0, slot * width, (slot + 1) * width);
    this.rows[slot * width] = -1;
  }

  private grow(slots: number): void {
    if (slots <= this.slots) return;
    if (slots * width > this.rows.length) {
      const rows = new Float64Array(slots * width * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    const from = this.slots;
    this.slots = slots;
    for (let slot = from; slot < slots; slot++) this.clear(slot);
  }
}

export function popCount(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

/** Longest run of eighths without a record up to the last one that has any. @param before eighths since the last record */
function longestLull(before: number, eighths: number): number {
  let run = before;
  let longest = 0;
  for (let left = eighths; left !== 0; left >>= 1) {
    if ((left & 1) === 0) run++;
    else {
      if (run > longest) longest = run;
      run = 0;
    }
  }
  return longest;
}

/** Highest of a set of bits: a severity class, an eighth. */
export function topBit(bits: number): number {
  return bits === 0 ? 0 : 31 - Math.clz32(bits);
}
