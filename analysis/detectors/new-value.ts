/**
 * A new value in a place of a message that has few: a status code, a state, a mode that never was. Rules:
 *
 * V1  A place has few values where all that it shows are words, or codes of three to five digits, all as many; twelve at
 *     most, each seen again and again, none new for long. What looks like a name, an id or a measure is none.
 * V2  Time is counted in ticks of 5 s with the place in them, so that a lump of records is one. That a value came in m of
 *     the last n ticks and in none of N before has, if it was always there, a chance of C(n, m) / C(N + n, m).
 * V3  It is told when that chance is small at the ends of two windows and nothing else is told: an error spike or a new
 *     message says more. Where several new messages come, or values in several places, the service itself has changed.
 * V4  A value in the place of one other is a new name for the same.
 * V5  What few words say in a place of a long message are as many templates (`is OPEN`, `is CLOSED`), which together are
 *     such a place as well.
 */
import { type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { clock, figure, percent, quote } from './describe.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateInfo, templateText } from './incident.ts';
import { scoreOf } from './tails.ts';
import {
  isCode,
  isWord,
  type Place,
  type PlaceValue,
  tickMs,
  ValuePlaces,
  type ValuePlacesSnapshot,
} from './value-places.ts';

/** Ticks in which each value of the place was seen; those of the place since its last new one, of all. */
const valueTicksMin = 6;
const settledShare = 0.8;
/** … or so many: a day of them. */
const settledTicks = 17_280;
/** Ticks of the place after which a value that still is not told is one of its values. */
const pendingTicksMax = 240;
/** Windows without the value that end an incident. */
const endWindows = 4;
/** New templates within a few windows that make a changed service. */
const birthsMax = 2;
const birthsFade = 0.8;
/** New values of a place at a time: more make it no list. */
const freshMax = 2;
/** Ticks that a word must miss to be gone. */
const goneTicksMin = 3;
/** What has come for so long is nothing new. */
const lastsMaxMs = 3_600_000;
/** Words of a message whose few variants are a place; fewer where these are in capitals. */
const wordsMin = 5;
const stateWordsMin = 3;
/** Ticks in which each of those variants must have come. */
const kinTicksMin = 30;
const candidatesMax = 8;

/** A template that differs in one word from a few others. */
interface Candidate {
  slot: number;
  place: number;
  text: string;
  /** The others, and their words. */
  kin: number[];
  known: string[];
  /** Ticks with the others before; since then with any of them, and with this one; the last one counted of each. */
  before: number;
  ticks: number;
  lastTick: number;
  own: number;
  ownTick: number;
  startMs: number;
  sample: string;
}

/** What may be told: a value that is new beyond chance. */
interface Find {
  slot: number;
  place: number;
  text: string;
  known: string[];
  exponent: number;
  startMs: number;
  /** Ticks before it, since then, and with it. */
  before: number;
  ticks: number;
  own: number;
  /** Share of the records since then. */
  share: number;
  sample: string;
}

interface Told {
  slot: number;
  place: number;
  text: string;
  /** Ticks with it, at the window before. */
  own: number;
  quietWindows: number;
}

export interface NewValueSnapshot {
  places: ValuePlacesSnapshot;
  candidates: Candidate[];
  births: number;
  /** Slot, place and text of what was found at the end of the window before. */
  waiting: [slot: number, place: number, text: string][];
  told: Told | null;
  incident: IncidentSnapshot | null;
}

export class NewValueDetector {
  private readonly config: DetectorsConfig['newValue'];
  private readonly places = new ValuePlaces();
  private candidates: Candidate[] = [];
  private births = 0;
  private waiting: NewValueSnapshot['waiting'] = [];
  private told: Told | null = null;
  private incident: Incident | null = null;

  constructor(config: DetectorsConfig['newValue']) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** Hot path; benchmark: loadtest/bench/partition.bench.ts. */
  observe(event: ObservedEvent, timeMs: number, context: StepContext): void {
    this.places.observe(event, timeMs, context.host);
    if (event.isNewTemplate && context.host.kinOf !== undefined) this.beginKin(event, timeMs, context);
    if (this.candidates.length > 0) this.countKin(event, timeMs);
  }

  /** @param explained another finding is open, which may be what the value comes from */
  windowClosed(window: WindowState, explained: boolean, context: StepContext): void {
    this.births = this.births * birthsFade + window.newTemplates;
    if (this.incident !== null) this.goOn(this.incident, window, context);
    const { finds, places } = this.find(explained, window);
    const wasFound = (one: Find): boolean =>
      this.waiting.some(([slot, place, text]) => slot === one.slot && place === one.place && text === one.text);
    const [due] = finds.filter(wasFound).sort((a, b) => b.exponent - a.exponent);
    this.waiting = finds.map(({ slot, place, text }) => [slot, place, text]);
    if (due === undefined) return;
    const count = new Set(finds.map(({ slot, place }) => `${slot} ${place}`)).size;
    if (this.births <= birthsMax && count < this.config.placesMax && this.incident === null)
      this.open(due, window, context);
    // Told or not, from here on these are values that the places have.
    for (const place of places) this.places.settle(place);
    this.candidates = [];
    this.waiting = [];
  }

  close(context: StepContext): void {
    this.incident?.end(context);
    this.incident = null;
    this.told = null;
  }

  snapshot(): NewValueSnapshot {
    return {
      places: this.places.snapshot(),
      candidates: this.candidates.map((one) => ({ ...one, kin: one.kin.slice(), known: one.known.slice() })),
      births: this.births,
      waiting: this.waiting.map(([slot, place, text]) => [slot, place, text]),
      told: this.told === null ? null : { ...this.told },
      incident: this.incident?.snapshot() ?? null,
    };
  }

  restore(state: NewValueSnapshot): void {
    this.places.restore(state.places);
    this.candidates = state.candidates.map((one) => ({ ...one, kin: one.kin.slice(), known: one.known.slice() }));
    this.births = state.births;
    this.waiting = state.waiting.map(([slot, place, text]) => [slot, place, text]);
    this.told = state.told === null ? null : { ...state.told };
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
  }

  /** Values that are new beyond chance, and the places of those that are in one. Gives up what took too long. */
  private find(explained: boolean, window: WindowState): { finds: Find[]; places: Place[] } {
    const finds: Find[] = [];
    const places: Place[] = [];
    const { tailExponent } = this.config;
    for (const place of this.places.all) {
      const fresh = place.values.filter(({ since }) => since >= 0);
      if (fresh.length === 0) continue;
      const known = place.values.filter(({ since }) => since < 0);
      const isLate = fresh.some(({ since }) => place.ticks - since > pendingTicksMax);
      if (explained || isLate || !this.hasFew(place, known, fresh)) {
        this.places.settle(place);
        continue;
      }
      for (const { text, ticks, since, sinceMs, sample, records, before } of fresh) {
        const exponent = noveltyExponent(ticks, place.ticks - since, since);
        if (exponent < tailExponent || isRenamed(place, known, since)) continue;
        const words = known.map((one) => one.text);
        const share = records / (place.records - before);
        const counts = { before: since, ticks: place.ticks - since, own: ticks, share };
        finds.push({
          slot: place.slot,
          place: place.place,
          text,
          known: words,
          exponent,
          startMs: sinceMs,
          sample,
          ...counts,
        });
        places.push(place);
      }
    }
    this.candidates = this.candidates.filter(
      ({ ticks, startMs }) => !explained && Math.max(ticks, (window.endMs - startMs) / tickMs) <= pendingTicksMax,
    );
    for (const candidate of this.candidates) {
      const exponent = noveltyExponent(candidate.own, candidate.ticks, candidate.before);
      if (exponent >= tailExponent) finds.push({ ...candidate, exponent, share: candidate.own / candidate.ticks });
    }
    return { finds, places };
  }

  /** V1 */
  private hasFew(place: Place, known: readonly PlaceValue[], fresh: readonly PlaceValue[]): boolean {
    if (known.length < 2 || fresh.length > freshMax) return false;
    const before = Math.min(...fresh.map(({ since }) => since));
    const settled = Math.min(settledShare * before, settledTicks);
    if (before < this.config.ticksMin || before - place.newestAt < settled) return false;
    if (known.some(({ ticks }) => ticks < valueTicksMin)) return false;
    const first = (known[0] as PlaceValue).text;
    if (!isCode(first)) return place.values.every(({ text }) => !isCode(text));
    return place.values.every(({ text }) => isCode(text) && text.length === first.length);
  }

  private open(find: Find, window: WindowState, context: StepContext): void {
    const { slot, place, text, own } = find;
    const id = templateInfo(context.host, slot)?.id ?? '';
    const incident = Incident.open(context, 'new_value', `${id} ${place}`, find.startMs);
    this.incident = incident;
    this.told = { slot, place, text, own, quietWindows: 0 };
    incident.extend(window, context);
    incident.peak(scoreOf(find.exponent), find.share, 0);
    const { row } = incident;
    row.influencers = [{ kind: 'template', name: templateText(context.host, slot), share: 1 }];
    incident.addSamples([find.sample]);
    row.description =
      `${quote(find.text, 80)} is new in ${quote(templateText(context.host, slot))}, where only ${listOf(find.known)}` +
      ` came in at least ${figure(find.before)} messages before; first seen ${clock(find.startMs, window.endMs)}, since then in ${percent(find.share)} of them`;
    incident.write(context);
  }

  /** It lasts as long as the value comes, or until that is nothing new any more. */
  private goOn(incident: Incident, window: WindowState, context: StepContext): void {
    const told = this.told as Told;
    const place = this.places.all.find((one) => one.slot === told.slot && one.place === told.place);
    const own = place?.values.find(({ text }) => text === told.text)?.ticks ?? this.places.ticksOf(told.slot);
    told.quietWindows = own === told.own ? told.quietWindows + 1 : 0;
    told.own = own;
    if (told.quietWindows === 0) incident.extend(window, context);
    const isOld = incident.row.endMs - incident.row.startMs > lastsMaxMs;
    if (told.quietWindows >= endWindows || isOld) this.close(context);
    else if (told.quietWindows === 0) incident.write(context);
  }

  private beginKin(event: ObservedEvent, timeMs: number, context: StepContext): void {
    if (this.candidates.length >= candidatesMax) return;
    const found = context.host.kinOf?.(event.templateSlot) ?? null;
    if (found === null || found.kin.length < 2 || !isWord(found.word)) return;
    const { kin, word } = found;
    if (!kin.every((one) => isWord(one.word) && this.places.ticksOf(one.slot) >= kinTicksMin)) return;
    const isState = [word, ...kin.map((one) => one.word)].every((one) => one === one.toUpperCase());
    if (found.constants < (isState ? stateWordsMin : wordsMin)) return;
    const before = Math.max(...kin.map(({ slot }) => this.places.ticksOf(slot)));
    if (before < this.config.ticksMin) return;
    this.candidates.push({
      slot: event.templateSlot,
      place: found.place,
      text: word,
      known: kin.map((one) => one.word),
      kin: kin.map(({ slot }) => slot),
      before,
      ticks: 0,
      lastTick: -1,
      own: 0,
      ownTick: -1,
      startMs: timeMs,
      sample: sampleOf(event.bytes, event.start, event.end),
    });
  }

  private countKin(event: ObservedEvent, timeMs: number): void {
    const tick = Math.floor(timeMs / tickMs);
    for (const candidate of this.candidates) {
      const isOwn = candidate.slot === event.templateSlot;
      if (!isOwn && !candidate.kin.includes(event.templateSlot)) continue;
      if (tick > candidate.lastTick) {
        candidate.lastTick = tick;
        candidate.ticks++;
      }
      if (!isOwn || tick <= candidate.ownTick) continue;
      candidate.ownTick = tick;
      candidate.own++;
    }
  }
}

/** V2: −log10 of C(n, m) / C(N + n, m). */
function noveltyExponent(own: number, since: number, before: number): number {
  let exponent = 0;
  for (let i = 0; i < own && i < since; i++) exponent += Math.log10((before + since - i) / (since - i));
  return exponent;
}

/** V4: one other word, which should have come several times since, has not. */
function isRenamed(place: Place, known: readonly PlaceValue[], since: number): boolean {
  if (isCode((known[0] as PlaceValue).text)) return false;
  const missed = ({ ticks, lastTick }: PlaceValue): number =>
    (ticks / since) * Math.min(place.lastTick - lastTick, place.ticks - since);
  return known.filter((one) => missed(one) >= goneTicksMin).length === 1;
}

/** "a, b and c" */
function listOf(texts: readonly string[]): string {
  const all = texts.map((text) => quote(text, 60));
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}
