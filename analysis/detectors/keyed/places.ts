/**
 * Which place of each message holds the key (a request, block or order id) that ties it to others, learned without rules:
 * for a minute now and then the ids of all records are kept, and a place is a key's where most of its ids also turn up in
 * other messages, each in few lines. Two such minutes decide. What has a trace id needs none of this.
 */
import type { PlaceValues } from '#analysis/templates/mod.ts';
import { fnvOf } from './flows.ts';

/** Ids kept at a time; beyond it every second one, by its hash, then every fourth … */
const idsMax = 512;
/** Lines of an id that are told apart, and lines looked at. */
const linesMax = 12;
const looksMax = 20_000;
/** Windows of a look, between looks, and between them once several found nothing new. */
const lookWindows = 2;
const everyWindows = 10;
const seldomWindows = 120;
const idleLooksMax = 6;
/** Different ids that a place must show, the share of them that others have too, and lines of each. */
const idsMin = 12;
const sharedMin = 0.5;
const linesPerIdMax = 4;
const votesMin = 2;
const [idBytesMin, idBytesMax] = [4, 64];

export interface KeyPlacesSnapshot {
  places: [slot: number, place: number][];
  votes: [slot: number, place: number, votes: number][];
  /** Of a look under way: hashes of ids, and slot and place of their lines in turn. */
  ids: [hash: number, lines: number[]][];
  thin: number;
  looked: number;
  isLooking: boolean;
  windows: number;
  idleLooks: number;
}

export class KeyPlaces {
  isLooking = false;
  private places = new Map<number, number>();
  private votes = new Map<number, [place: number, votes: number]>();
  private ids = new Map<number, number[]>();
  private thin = 1;
  private looked = 0;
  private windows = 0;
  private idleLooks = 0;

  get size(): number {
    return this.places.size;
  }

  /** −1: none is known. */
  placeOf(slot: number): number {
    return this.places.get(slot) ?? -1;
  }

  /** The slot has another template now. */
  forget(slot: number): void {
    this.places.delete(slot);
    this.votes.delete(slot);
  }

  /** There are new messages to look at. */
  lookSoon(): void {
    this.idleLooks = 0;
  }

  look(slot: number, bytes: Uint8Array, values: PlaceValues): void {
    if (++this.looked > looksMax) {
      this.isLooking = false;
      return;
    }
    for (let i = 0; i < values.count; i++) {
      const from = values.froms[i] as number;
      const to = values.tos[i] as number;
      if (values.measures[i] === 1 || !isId(bytes, from, to)) continue;
      const hash = fnvOf(bytes, from, to);
      if (hash % this.thin !== 0) continue;
      const lines = this.ids.get(hash);
      if (lines === undefined) this.ids.set(hash, [slot, values.places[i] as number]);
      else if (lines.length < 2 * linesMax) lines.push(slot, values.places[i] as number);
    }
    while (this.ids.size > idsMax) {
      this.thin *= 2;
      for (const hash of this.ids.keys()) if (hash % this.thin !== 0) this.ids.delete(hash);
    }
  }

  /** True where what is known has changed. */
  windowClosed(): boolean {
    this.windows++;
    if (!this.isLooking && this.ids.size === 0) {
      if (this.windows % (this.idleLooks < idleLooksMax ? everyWindows : seldomWindows) !== 0) return false;
      this.isLooking = true;
      this.windows = 0;
      return false;
    }
    if (this.isLooking && this.windows < lookWindows) return false;
    this.isLooking = false;
    this.looked = 0;
    return this.decide();
  }

  snapshot(): KeyPlacesSnapshot {
    return {
      places: [...this.places],
      votes: [...this.votes].map(([slot, [place, votes]]) => [slot, place, votes]),
      ids: [...this.ids].map(([hash, lines]) => [hash, lines.slice()]),
      thin: this.thin,
      looked: this.looked,
      isLooking: this.isLooking,
      windows: this.windows,
      idleLooks: this.idleLooks,
    };
  }

  restore(state: KeyPlacesSnapshot): void {
    this.places = new Map(state.places);
    this.votes = new Map(state.votes.map(([slot, place, votes]) => [slot, [place, votes]]));
    this.ids = new Map(state.ids.map(([hash, lines]) => [hash, lines.slice()]));
    this.thin = state.thin;
    this.looked = state.looked;
    this.isLooking = state.isLooking;
    this.windows = state.windows;
    this.idleLooks = state.idleLooks;
  }

  private decide(): boolean {
    /** By slot and place: ids, those in other messages too, lines. */
    const seen = new Map<number, [ids: number, shared: number, lines: number]>();
    for (const lines of this.ids.values()) {
      const isShared = lines.some((slot, i) => i % 2 === 0 && slot !== lines[0]);
      const counted = new Set<number>();
      for (let i = 0; i < lines.length; i += 2) {
        const key = (lines[i] as number) * 512 + (lines[i + 1] as number);
        const counts = seen.get(key) ?? [0, 0, 0];
        seen.set(key, counts);
        counts[2]++;
        if (counted.has(key)) continue;
        counted.add(key);
        counts[0]++;
        if (isShared) counts[1]++;
      }
    }
    this.ids.clear();
    this.thin = 1;
    const best = new Map<number, [place: number, shared: number]>();
    for (const [key, [ids, shared, lines]] of seen) {
      if (ids < idsMin || shared < sharedMin * ids || lines > linesPerIdMax * ids) continue;
      const slot = Math.floor(key / 512);
      if (shared / ids > (best.get(slot)?.[1] ?? 0)) best.set(slot, [key % 512, shared / ids]);
    }
    let isChanged = false;
    for (const [slot, [place]] of best) {
      const voted = this.votes.get(slot);
      const votes = voted?.[0] === place ? voted[1] + 1 : 1;
      this.votes.set(slot, [place, Math.min(votes, votesMin)]);
      if (votes < votesMin || this.places.get(slot) === place) continue;
      this.places.set(slot, place);
      isChanged = true;
    }
    this.idleLooks = isChanged ? 0 : this.idleLooks + 1;
    return isChanged;
  }
}

/** With a digit, and neither too short nor too long to tell one thing from another. */
function isId(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < idBytesMin || to - from > idBytesMax) return false;
  for (let i = from; i < to; i++) if ((bytes[i] as number) >= 0x30 && (bytes[i] as number) <= 0x39) return true;
  return false;
}
