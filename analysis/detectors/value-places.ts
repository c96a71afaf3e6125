/**
 * Places of messages that have few values, and what they have shown. A place is given up, for ever, once it shows too
 * many values or such as no list of states or codes has; a template without any is not looked at again.
 */
import { type ObservedEvent, sampleOf } from '#analysis/windows/mod.ts';
import { int32Bytes, int32From } from '#protocol/number-bytes.ts';
import type { AnalysisHost } from './incident.ts';

/** Event time in which records of a place count once. */
export const tickMs = 5_000;
/** Records of a template that are looked at in a tick. */
const looksMax = 32;
/** Places of a service, of a template, and values of a place. */
const placesMax = 64;
const slotPlacesMax = 8;
const valuesMax = 12;
const valueBytesMax = 32;
/** Ticks without a record after which a place makes room for another. */
const idleTicksMax = 2_880;
/** Records of a place that are no value of a list, per hundred. */
const oddPercentMax = 2;

export interface PlaceValue {
  text: string;
  /** Ticks in which it was seen, and the last of them. */
  ticks: number;
  lastTick: number;
  records: number;
  /** Ticks of the place before its first; −1: one of the values that the place has. */
  since: number;
  sinceMs: number;
  /** Records of the place before it, and a body with it; '' once it is one of them. */
  before: number;
  sample: string;
}

export interface Place {
  slot: number;
  place: number;
  ticks: number;
  lastTick: number;
  records: number;
  odd: number;
  /** Ticks of the place when the last of the values that it has came. */
  newestAt: number;
  values: PlaceValue[];
}

export interface ValuePlacesSnapshot {
  /** By slot: what is known of it, ticks with a record, the last tick, records looked at in it. 32-bit integers. */
  slots: Uint8Array;
  places: Place[];
}

const [unknown, live, dead] = [0, 1, 2];
const width = 4;
const decoder = new TextDecoder();

export class ValuePlaces {
  all: Place[] = [];
  private slots: Int32Array = new Int32Array(16 * width);
  /** By slot; a memo of `all`. */
  private bySlot = new Map<number, Place[]>();

  /** Ticks in which a template came. */
  ticksOf(slot: number): number {
    return this.slots[slot * width + 1] ?? 0;
  }

  /** Hot path: a few look-ups for templates that are not looked at. */
  observe(event: ObservedEvent, timeMs: number, host: AnalysisHost): void {
    const slot = event.templateSlot;
    const at = slot * width;
    if (at >= this.slots.length) this.grow(slot);
    if (event.isNewTemplate) this.forget(slot);
    const { slots } = this;
    const tick = Math.floor(timeMs / tickMs) | 0;
    if (tick > (slots[at + 2] as number)) {
      slots[at + 1]!++;
      slots[at + 2] = tick;
      slots[at + 3] = 0;
    }
    if (slots[at] === dead || (slots[at + 3] as number) >= looksMax || host.valuesOf === undefined) return;
    slots[at + 3]!++;
    const found = host.valuesOf(slot, event.bytes, event.start, event.end);
    if (slots[at] === unknown && !this.begin(slot, found.places.subarray(0, found.count), tick)) return;
    const places = this.bySlot.get(slot) ?? [];
    for (const place of places) {
      const i = found.places.subarray(0, found.count).indexOf(place.place);
      if (i < 0) continue;
      const from = found.froms[i] as number;
      const to = found.tos[i] as number;
      if (found.measures[i] === 1 || kindOf(event.bytes, from, to) === 0) place.odd++;
      else this.take(place, decoder.decode(event.bytes.subarray(from, to)), tick, event, timeMs);
      place.records++;
      if (tick > place.lastTick) {
        place.ticks++;
        place.lastTick = tick;
      }
    }
    if (places.some(isFree)) this.giveUp(slot, places);
  }

  /** The values told so far are those that the place has. */
  settle(place: Place): void {
    for (const value of place.values) {
      place.newestAt = Math.max(place.newestAt, value.since);
      value.since = -1;
      value.sample = '';
    }
  }

  snapshot(): ValuePlacesSnapshot {
    return {
      slots: int32Bytes(this.slots),
      places: this.all.map((place) => ({ ...place, values: place.values.map((value) => ({ ...value })) })),
    };
  }

  restore(state: ValuePlacesSnapshot): void {
    this.slots = int32From(state.slots);
    this.all = state.places.map((place) => ({ ...place, values: place.values.map((value) => ({ ...value })) }));
    this.bySlot.clear();
    for (const place of this.all) this.index(place);
  }

  private take(place: Place, text: string, tick: number, event: ObservedEvent, timeMs: number): void {
    let value = place.values.find((one) => one.text === text);
    if (value === undefined) {
      const { ticks, records } = place;
      const sample = place.values.length > 1 ? sampleOf(event.bytes, event.start, event.end) : '';
      value = { text, ticks: 0, lastTick: -1, records: 0, since: ticks, sinceMs: timeMs, before: records, sample };
      place.values.push(value);
    }
    value.records++;
    if (tick <= value.lastTick) return;
    value.ticks++;
    value.lastTick = tick;
  }

  private begin(slot: number, found: Int32Array, tick: number): boolean {
    if (found.length === 0) {
      this.slots[slot * width] = dead;
      return false;
    }
    const wanted = Math.min(found.length, slotPlacesMax);
    if (this.all.length + wanted > placesMax) this.dropIdle(tick);
    if (this.all.length + wanted > placesMax) return false;
    this.slots[slot * width] = live;
    for (let i = 0; i < wanted; i++) {
      const place = { slot, place: found[i]!, ticks: 0, lastTick: -1, records: 0, odd: 0, newestAt: 0, values: [] };
      this.all.push(place);
      this.index(place);
    }
    return true;
  }

  private giveUp(slot: number, places: readonly Place[]): void {
    const kept = places.filter((place) => !isFree(place));
    this.all = this.all.filter((place) => place.slot !== slot || kept.includes(place));
    this.bySlot.set(slot, kept);
    if (kept.length > 0) return;
    this.bySlot.delete(slot);
    this.slots[slot * width] = dead;
  }

  private dropIdle(tick: number): void {
    for (const { slot, lastTick } of this.all) if (tick - lastTick > idleTicksMax) this.forget(slot);
  }

  /** The slot has another template now, or its places make room. */
  private forget(slot: number): void {
    this.slots.fill(0, slot * width, (slot + 1) * width);
    if (!this.bySlot.delete(slot)) return;
    this.all = this.all.filter((place) => place.slot !== slot);
  }

  private index(place: Place): void {
    const places = this.bySlot.get(place.slot);
    if (places === undefined) this.bySlot.set(place.slot, [place]);
    else places.push(place);
  }

  private grow(slot: number): void {
    const slots = new Int32Array((slot + 1) * width * 2);
    slots.set(this.slots);
    this.slots = slots;
  }
}

function isFree({ values, odd, records }: Place): boolean {
  return values.length > valuesMax || odd * 100 > oddPercentMax * (records + 100);
}

/** 1: a word, 2: a code; 0: anything else, which no list of states or codes has. */
function kindOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length === 0 || length > valueBytesMax) return 0;
  let digits = 0;
  for (let i = from; i < to; i++) {
    const b = bytes[i] as number;
    if (b >= 0x30 && b <= 0x39) digits++;
    else if ((b | 0x20) < 0x61 || (b | 0x20) > 0x7a) {
      if (b !== 0x5f && b !== 0x2d) return 0;
    }
  }
  if (digits === 0) return length > 1 ? 1 : 0;
  return digits === length && length >= 3 && length <= 5 ? 2 : 0;
}

/** The same of a text. */
export function isCode(text: string): boolean {
  return text.charCodeAt(0) <= 0x39;
}

/** Letters, underscores and hyphens only. */
export function isWord(text: string): boolean {
  return text.length > 1 && /^[A-Za-z_-]+$/.test(text);
}
