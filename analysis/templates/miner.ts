/**
 * Online template mining: masked line → template, by memo, by exact look-up, by match, or by birth and generalisation.
 *
 * M1  A result depends on the templates alone. The memo maps a masked line to what the look-up would find; a birth
 *     cannot change that for other lines (a new template without wild places covers one masked line), and whatever
 *     can (generalisation, merge, eviction) clears it.
 * M2  No template covers another: who generalises takes in all that it now covers.
 */
import { doubleBytes, doublesFrom } from '#protocol/number-bytes.ts';
import { LineCache } from './cache.ts';
import { type TemplateConfig, templateDefaults } from './config.ts';
import { foldRepeats } from './fold.ts';
import { type CountOf, constantsOf, proseMin, widening } from './generalise.ts';
import { ShapeGroup } from './group.ts';
import type { MaskedLines } from './masked.ts';
import { type Pattern, patternFrom, patternOf, Sketch, textOf, widen, wordAt } from './pattern.ts';
import { PlaceValues } from './place-values.ts';
import { LineScanner } from './scan.ts';

export interface Template {
  slot: number;
  /** 16 hex digits, from the content at birth; the same while the text generalises. */
  id: string;
  /** `<*>` for variables. */
  text: string;
  /** Lines, those of templates merged into this one included. */
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  /** Slot of the template that this one became part of, or -1. */
  mergedInto: number;
}

/** A template beside those that differ from it in one word. */
export interface TemplateKin {
  /** Number of the place, and the word that this one has there; '' for a variable. */
  place: number;
  word: string;
  /** Words of the message, this one included. */
  constants: number;
  kin: { slot: number; word: string }[];
}

interface Entry {
  id: string;
  pattern: Pattern;
  text: string;
  firstSeenMs: number;
  mergedInto: number;
  /** Line number at which it merged, the order in which merged templates are forgotten. */
  mergedAt: number;
}

/** What moves with every line. Lists are doubles as bytes. */
interface CountsState {
  lines: number;
  counts: Uint8Array;
  lastSeenMs: Uint8Array;
  lastLine: Uint8Array;
}

/** What moves when a template is born, generalises, merges or is evicted. */
interface TextsState {
  version: number;
  evicted: number;
  ids: string[];
  patterns: Uint8Array[];
  firstSeenMs: number[];
  mergedInto: number[];
  mergedAt: number[];
  free: number[];
  changed: number[];
  young: number[];
}

export interface MinerSnapshot {
  counts: unknown;
  texts: unknown;
}

const stateVersion = 2;
const encoder = new TextEncoder();

export class TemplateMiner {
  readonly #config: TemplateConfig;
  readonly #scanner: LineScanner;
  readonly #sketch = new Sketch();
  readonly #cache: LineCache;
  /** By slot; undefined: the slot is free. */
  #entries: (Entry | undefined)[] = [];
  #counts = new Float64Array(16);
  #lastSeenMs = new Float64Array(16);
  #lastLine = new Float64Array(16);
  #free: number[] = [];
  /** Live templates by shape. */
  #byShape = new Map<number, ShapeGroup>();
  /** Live templates without wild places by the hash of the one line each covers. */
  #byLine = new Map<number, Pattern>();
  /** Slots of live templates by id. */
  #ids = new Set<string>();
  #changed = new Set<number>();
  /** Slots born or widened since the last review. */
  #young = new Set<number>();
  #lines = 0;
  #evicted = 0;
  /** The memo by line of the present batch's masked columns: slot + 1; 0: not known. Valid while nothing was forgotten. */
  #lineSlots = new Int32Array(0);
  #lineSlotsOf = -1;
  #forgotten = 0;
  #scratch = new Uint8Array(0);
  #values: PlaceValues | null = null;
  /** What the values were read of, for who asks again; `#valuesSlot` −1: of nothing. */
  #valuesSlot = -1;
  #valuesBytes: Uint8Array | null = null;
  #valuesStart = 0;
  /** The body whose tokens the scanner has; null: it has those of a masked line. */
  #scanned: Uint8Array | null = null;
  #scannedStart = 0;
  #scannedEnd = 0;
  /** Repeats among these tokens are folded. */
  #isFolded = false;
  /** Rises when `texts()` would say something else than before. */
  textsVersion = 0;
  /** True when the body mined last was the first of its template. */
  isNew = false;

  constructor(config: TemplateConfig = templateDefaults) {
    this.#config = config;
    this.#scanner = new LineScanner(config.maxTokens, config.maxLineBytes);
    this.#cache = new LineCache(config.cacheEntries);
  }

  /** Numbers of the last mined body: durations in ms, sizes in bytes, others as written. */
  get numbers(): Float64Array {
    return this.#scanner.numbers;
  }

  /** How many of `numbers` are valid. */
  get numberCount(): number {
    return this.#scanner.numberCount;
  }

  /** Rises when the id or text of a slot in use may have changed. A birth changes none but its own. */
  get rewritten(): number {
    return this.#forgotten;
  }

  /** Slots in use or free: every slot is below this. */
  get size(): number {
    return this.#entries.length;
  }

  /** Templates evicted so far, to keep within `maxTemplates`. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Mines the body in bytes [start, end) of UTF-8, seen at timeMs; returns its slot, never a merged one. */
  mine(bytes: Uint8Array, start: number, end: number, timeMs: number): number {
    if (this.#lines % this.#config.reviewLines === 0) this.review();
    const scanner = this.#scanner;
    scanner.scan(bytes, start, end);
    this.#scanned = bytes;
    this.#scannedStart = start;
    this.#scannedEnd = end;
    this.#isFolded = false;
    let slot = this.#cache.get(scanner.hashA, scanner.hashB);
    this.isNew = false;
    if (slot < 0) slot = this.#place(bytes, timeMs);
    this.#count(slot, timeMs);
    return slot;
  }

  /** Begins with the masked columns of a batch, to be mined row by row. */
  openMasked(lines: MaskedLines): void {
    if (this.#lineSlots.length < lines.size) this.#lineSlots = new Int32Array(lines.size * 2);
    this.#lineSlots.fill(0);
    this.#lineSlotsOf = this.#forgotten;
  }

  /** The same as `mine` of the body that the present row of `lines` was made from. */
  mineMasked(lines: MaskedLines, timeMs: number): number {
    if (this.#lines % this.#config.reviewLines === 0) this.review();
    if (this.#lineSlotsOf !== this.#forgotten) this.openMasked(lines);
    const { line } = lines;
    let slot = this.#lineSlots[line]! - 1;
    this.isNew = false;
    if (slot < 0) {
      slot = this.#cache.get(lines.hashA[line]!, lines.hashB[line]!);
      if (slot < 0) {
        this.#scanner.load(lines.bytes, lines.starts[line]!, lines.ends[line]!);
        this.#scanned = null;
        slot = this.#place(lines.bytes, timeMs);
      }
      this.#lineSlots[line] = slot + 1;
    }
    this.#count(slot, timeMs);
    return slot;
  }

  /** Slot of the line in the scanner, which the memo does not know. */
  #place(bytes: Uint8Array, timeMs: number): number {
    const scanner = this.#scanner;
    const { hashA, hashB } = scanner;
    this.#sketch.take(bytes, scanner);
    this.#isFolded = true;
    let slot = this.#find();
    if (slot < 0) {
      slot = this.#bear(bytes, timeMs);
      // Born into an older template that generalised to cover it: nothing new was said.
      this.isNew = this.#counts[slot] === 0;
    }
    this.#cache.set(hashA, hashB, slot);
    return slot;
  }

  #count(slot: number, timeMs: number): void {
    this.#counts[slot]!++;
    if (timeMs > this.#lastSeenMs[slot]!) this.#lastSeenMs[slot] = timeMs;
    this.#lastLine[slot] = ++this.#lines;
    this.#valuesSlot = -1;
  }

  /** Forgets the memo: what it says may not be what a look-up would find any more. */
  #forget(): void {
    this.#cache.clear();
    this.#forgotten++;
  }

  mineText(body: string, timeMs: number): number {
    if (this.#scratch.length < body.length * 3) this.#scratch = new Uint8Array(body.length * 3 + 256);
    const { written } = encoder.encodeInto(body, this.#scratch);
    return this.mine(this.#scratch, 0, written, timeMs);
  }

  /**
   * Decides what the immediate rule leaves open: templates born since the last review that differ in names which were
   * seen too rarely to be part of the message. Happens by itself every `reviewLines` lines; call it at the end of input.
   */
  review(): void {
    if (this.#young.size === 0) return;
    this.textsVersion++;
    const countOf = (pattern: Pattern): number => this.#counts[pattern.slot]!;
    for (const slot of [...this.#young].sort((a, b) => a - b)) {
      const entry = this.#entries[slot];
      if (entry === undefined || entry.mergedInto >= 0) continue;
      if (this.#byShape.get(entry.pattern.shape)!.patterns.length <= proseMin) this.#generaliseFrom(slot, countOf);
    }
    this.#young.clear();
  }

  /** The template in a slot. Throws a RangeError for a slot that holds none. */
  template(slot: number): Template {
    const entry = this.#entries[slot];
    if (entry === undefined) throw new RangeError(`slot ${slot} holds no template`);
    return {
      slot,
      id: entry.id,
      text: entry.text,
      count: this.#counts[slot]!,
      firstSeenMs: entry.firstSeenMs,
      lastSeenMs: this.#lastSeenMs[slot]!,
      mergedInto: entry.mergedInto,
    };
  }

  /** Id of a slot's template, without making a `Template`: for hot loops. */
  idOf(slot: number): string {
    return this.#entries[slot]?.id ?? '';
  }

  /** Text of a slot's template, likewise. */
  textOf(slot: number): string {
    return this.#entries[slot]?.text ?? '';
  }

  /** The values that a body of a slot's template has at its variable places; valid until the next line or call. */
  valuesOf(slot: number, bytes: Uint8Array, start: number, end: number): PlaceValues {
    this.#values ??= new PlaceValues();
    if (this.#valuesSlot === slot && this.#valuesBytes === bytes && this.#valuesStart === start) return this.#values;
    const pattern = this.#entries[slot]?.pattern;
    if (pattern === undefined) this.#values.count = 0;
    else this.#values.read(pattern, bytes, start, end, this.#tokensOf(bytes, start, end));
    this.#valuesSlot = slot;
    this.#valuesBytes = bytes;
    this.#valuesStart = start;
    return this.#values;
  }

  /** The scanner, where it has the tokens of this body. */
  #tokensOf(bytes: Uint8Array, start: number, end: number): LineScanner | null {
    if (this.#scanned !== bytes || this.#scannedStart !== start || this.#scannedEnd !== end) return null;
    if (!this.#isFolded) foldRepeats(bytes, this.#scanner);
    this.#isFolded = true;
    return this.#scanner;
  }

  /**
   * Templates that say the same as this one but for one word, at the place at which most do: `is OPEN` beside
   * `is CLOSED`. A place with few words is no variable, each of its values has a template. Null where there are none.
   */
  kinOf(slot: number): TemplateKin | null {
    const pattern = this.#entries[slot]?.pattern;
    const group = pattern === undefined ? undefined : this.#byShape.get(pattern.shape);
    if (pattern === undefined || group === undefined || group.patterns.length > proseMin) return null;
    const byPlace = new Map<number, number[]>();
    const at = [0];
    group.eachNear(pattern, at, (other) => {
      const place = at[0]!;
      const slots = byPlace.get(place);
      if (slots === undefined) byPlace.set(place, [other.slot]);
      else slots.push(other.slot);
    });
    let best: { place: number; slots: number[] } | undefined;
    for (const [place, slots] of byPlace)
      if (best === undefined || slots.length > best.slots.length) best = { place, slots };
    if (best === undefined) return null;
    const { place } = best;
    const kin = best.slots.map((other) => ({ slot: other, word: wordAt(this.#entries[other]!.pattern, place) }));
    return { place, word: wordAt(pattern, place), constants: constantsOf(pattern), kin };
  }

  /** True when a slot holds a template, merged or not. */
  has(slot: number): boolean {
    return this.#entries[slot] !== undefined;
  }

  /** The slot that a slot's lines belong to now. */
  resolve(slot: number): number {
    let at = slot;
    for (let into = this.#entries[at]?.mergedInto ?? -1; into >= 0; into = this.#entries[at]?.mergedInto ?? -1)
      at = into;
    return at;
  }

  /** Slots created (also anew, after an eviction), generalised or merged since the last call, ascending. */
  takeChanged(): number[] {
    if (this.#changed.size === 0) return [];
    this.textsVersion++;
    const changed = [...this.#changed].sort((a, b) => a - b);
    this.#changed.clear();
    return changed;
  }

  /** All that `restore` needs to go on alike, as plain data, in two parts that change at different paces. */
  snapshot(): MinerSnapshot {
    return { counts: this.counts(), texts: this.texts() };
  }

  counts(): unknown {
    const size = this.#entries.length;
    const state: CountsState = {
      lines: this.#lines,
      counts: doubleBytes(this.#counts.subarray(0, size)),
      lastSeenMs: doubleBytes(this.#lastSeenMs.subarray(0, size)),
      lastLine: doubleBytes(this.#lastLine.subarray(0, size)),
    };
    return state;
  }

  texts(): unknown {
    const entries = this.#entries;
    const numbers = (of: (entry: Entry, slot: number) => number): number[] =>
      entries.map((entry, slot) => (entry === undefined ? -1 : of(entry, slot)));
    const state: TextsState = {
      version: stateVersion,
      evicted: this.#evicted,
      ids: entries.map((entry) => entry?.id ?? ''),
      patterns: entries.map((entry) => entry?.pattern.bytes ?? new Uint8Array(0)),
      firstSeenMs: numbers((entry) => entry.firstSeenMs),
      mergedInto: numbers((entry) => entry.mergedInto),
      mergedAt: numbers((entry) => entry.mergedAt),
      free: [...this.#free],
      changed: [...this.#changed].sort((a, b) => a - b),
      young: [...this.#young].sort((a, b) => a - b),
    };
    return state;
  }

  /** The miner that `snapshot` was taken of. Throws when the data is of another version. */
  static restore(config: TemplateConfig, snapshot: MinerSnapshot): TemplateMiner {
    const state = snapshot.texts as TextsState;
    const moving = snapshot.counts as CountsState;
    if (state?.version !== stateVersion)
      throw new Error(`template snapshot of version ${state?.version}, expected ${stateVersion}`);
    const miner = new TemplateMiner(config);
    miner.#lines = moving.lines;
    miner.#evicted = state.evicted;
    miner.#free = [...state.free];
    miner.#changed = new Set(state.changed);
    miner.#young = new Set(state.young);
    const size = state.ids.length;
    miner.#growTo(size);
    miner.#counts.set(doublesFrom(moving.counts));
    miner.#lastSeenMs.set(doublesFrom(moving.lastSeenMs));
    miner.#lastLine.set(doublesFrom(moving.lastLine));
    for (let slot = 0; slot < size; slot++) {
      const id = state.ids[slot]!;
      if (id === '') {
        miner.#entries.push(undefined);
        continue;
      }
      const pattern = patternFrom(Uint8Array.from(state.patterns[slot]!));
      const mergedInto = state.mergedInto[slot]!;
      miner.#entries.push({
        id,
        pattern,
        text: textOf(pattern.bytes),
        firstSeenMs: state.firstSeenMs[slot]!,
        mergedInto,
        mergedAt: state.mergedAt[slot]!,
      });
      miner.#ids.add(id);
      if (mergedInto < 0) miner.#index(slot, pattern);
    }
    return miner;
  }

  /** Slot of the template that covers the line in the sketch, or -1. */
  #find(): number {
    const { places, shape, hashA, hashB } = this.#sketch;
    const same = this.#byLine.get(lineKey(hashA, hashB));
    if (same !== undefined) return same.slot;
    return this.#byShape.get(shape)?.widest(places)?.slot ?? -1;
  }

  /** A new template for the line last scanned, and what follows from it; the slot that the line belongs to then. */
  #bear(bytes: Uint8Array, timeMs: number): number {
    const pattern = patternOf(bytes, this.#scanner, this.#sketch);
    this.textsVersion++;
    if (this.#live() >= this.#config.maxTemplates) this.#evict();
    const slot = this.#free.pop() ?? this.#entries.length;
    this.#growTo(slot + 1);
    const id = this.#newId(pattern);
    this.#entries[slot] = {
      id,
      pattern,
      text: textOf(pattern.bytes),
      firstSeenMs: timeMs,
      mergedInto: -1,
      mergedAt: -1,
    };
    this.#counts[slot] = 0;
    this.#lastSeenMs[slot] = timeMs;
    this.#lastLine[slot] = this.#lines;
    this.#ids.add(id);
    this.#index(slot, pattern);
    this.#changed.add(slot);
    return this.#generaliseFrom(slot);
  }

  /** Widens around a new or widened template until nothing more follows. */
  #generaliseFrom(start: number, countOf?: CountOf): number {
    let slot = start;
    for (;;) {
      this.#young.add(slot);
      const { pattern } = this.#entries[slot]!;
      const widened = widening(pattern, this.#byShape.get(pattern.shape)!, this.#config, countOf);
      if (widened === undefined) return slot;
      slot = this.#replace(widen(pattern, widened), pattern.shape);
    }
  }

  /** Gives a wider pattern to the oldest template that it covers, and merges the others into that. */
  #replace(wider: Pattern, shape: number): number {
    const covered = this.#byShape
      .get(shape)!
      .covered(wider)
      .map((pattern) => pattern.slot);
    const slot = Math.min(...covered);
    const entry = this.#entries[slot]!;
    for (const other of covered) {
      if (other === slot) continue;
      const merged = this.#entries[other]!;
      merged.mergedInto = slot;
      merged.mergedAt = this.#lines;
      this.#counts[slot]! += this.#counts[other]!;
      this.#lastSeenMs[slot] = Math.max(this.#lastSeenMs[slot]!, this.#lastSeenMs[other]!);
      this.#lastLine[slot] = Math.max(this.#lastLine[slot]!, this.#lastLine[other]!);
      entry.firstSeenMs = Math.min(entry.firstSeenMs, merged.firstSeenMs);
      this.#unindex(merged.pattern);
      this.#changed.add(other);
    }
    this.#unindex(entry.pattern);
    this.#index(slot, wider);
    entry.pattern = wider;
    entry.text = textOf(wider.bytes);
    this.#changed.add(slot);
    this.#forget();
    return slot;
  }

  #live(): number {
    return this.#entries.length - this.#free.length;
  }

  /**
   * Frees an eighth of the slots: merged templates first, in the order they merged, then those seen longest ago, each
   * with what had merged into it.
   */
  #evict(): void {
    const wanted = Math.max(1, this.#config.maxTemplates >>> 3);
    const slots = this.#entries.flatMap((entry, slot) => (entry === undefined ? [] : [slot]));
    const merged = slots.filter((s) => this.#entries[s]!.mergedInto >= 0);
    merged.sort((x, y) => this.#entries[x]!.mergedAt - this.#entries[y]!.mergedAt || x - y);
    // A slot that others point to through this one must not vanish from under them.
    const drop = new Set(merged.slice(0, wanted));
    if (drop.size < wanted) {
      const live = slots.filter((s) => this.#entries[s]!.mergedInto < 0);
      live.sort((x, y) => this.#lastLine[x]! - this.#lastLine[y]! || x - y);
      for (const slot of live.slice(0, wanted - drop.size)) {
        drop.add(slot);
        this.#evicted++;
      }
    }
    for (const slot of slots) if (drop.has(this.resolve(slot))) drop.add(slot);
    for (const slot of slots) {
      const entry = this.#entries[slot]!;
      if (drop.has(slot) || entry.mergedInto < 0) continue;
      entry.mergedInto = this.resolve(slot);
    }
    for (const slot of [...drop].sort((x, y) => y - x)) {
      const entry = this.#entries[slot]!;
      if (entry.mergedInto < 0) this.#unindex(entry.pattern);
      this.#ids.delete(entry.id);
      this.#entries[slot] = undefined;
      this.#changed.delete(slot);
      this.#young.delete(slot);
      this.#free.push(slot);
    }
    this.#forget();
  }

  #index(slot: number, pattern: Pattern): void {
    pattern.slot = slot;
    let group = this.#byShape.get(pattern.shape);
    if (group === undefined) {
      group = new ShapeGroup(pattern.places.length);
      this.#byShape.set(pattern.shape, group);
    }
    group.insert(pattern);
    if (pattern.wilds === 0) this.#byLine.set(lineKey(pattern.hashA, pattern.hashB), pattern);
  }

  #unindex(pattern: Pattern): void {
    const group = this.#byShape.get(pattern.shape)!;
    group.remove(pattern);
    if (group.patterns.length === 0) this.#byShape.delete(pattern.shape);
    if (pattern.wilds === 0) this.#byLine.delete(lineKey(pattern.hashA, pattern.hashB));
  }

  /** Id from the content; when another template has it, from the content and a counter. */
  #newId(pattern: Pattern): string {
    for (let n = 0; ; n++) {
      const id = hex8(mix(pattern.hashA ^ Math.imul(n, 0x9e3779b1))) + hex8(mix(pattern.hashB + n));
      if (!this.#ids.has(id)) return id;
    }
  }

  #growTo(size: number): void {
    if (this.#counts.length >= size) return;
    const grown = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(Math.max(size, from.length * 2));
      to.set(from);
      return to;
    };
    this.#counts = grown(this.#counts);
    this.#lastSeenMs = grown(this.#lastSeenMs);
    this.#lastLine = grown(this.#lastLine);
  }
}

/** Spreads every bit over all (the finaliser of MurmurHash3). */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const lineKey = (a: number, b: number): number => (a >>> 0) * 0x200000 + (b >>> 11);

const hex8 = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
