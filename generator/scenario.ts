/**
 * Worlds with labelled incidents, as records in the order in which they arrive. Same seed, same records. Used to judge
 * detectors: every fault is known by service, kind, start and end; everything else in the world is harmless.
 */
import type { LogRecord } from '#protocol/mod.ts';
import { effectOf, type Effect, type Fault, faultKinds, type FaultKind, makeFault } from './faults.ts';
import type { FillState, Phrase, ServiceTexts } from './phrases.ts';
import { Random } from './random.ts';
import { makeWorld, type ServiceWorld } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export interface ScenarioOptions {
  seed: number;
  /** Default 20. */
  services?: number;
  /** Default 3. */
  hours?: number;
  /** Injected faults, default 26; 0 is a quiet world. */
  faults?: number;
  /** Time without faults at the start, default 45 min. */
  leadMs?: number;
  /** Harmless changes per service and hour, default 0.3. */
  changesPerHour?: number;
  rateMin?: number;
  rateMax?: number;
  texts?: (random: Random, service: number) => ServiceTexts;
}

/** A record with the time at which it arrives. */
export interface Arrival {
  arrivalMs: number;
  record: LogRecord & { timeMs: number; service: string };
}

interface Running {
  world: ServiceWorld;
  random: Random;
  walk: number;
  cumulative: number[];
  replaced: Map<Phrase, Phrase>;
  version: string;
  faults: Fault[];
}

const none: Effect = { rate: 1, latency: 1, extra: [], mutes: new Set() };

export class Scenario {
  readonly fromMs: number;
  readonly toMs: number;
  readonly faults: Fault[] = [];
  readonly worlds: ServiceWorld[];
  private readonly running: Running[];
  /** Made already, due later. */
  private pending: Arrival[] = [];

  constructor(options: ScenarioOptions) {
    const random = new Random(options.seed);
    this.fromMs = Date.UTC(2026, 2, 2) + Math.floor(7 * day * random.next());
    this.toMs = this.fromMs + (options.hours ?? 3) * hour;
    this.worlds = makeWorld({
      seed: options.seed,
      services: options.services ?? 20,
      fromMs: this.fromMs,
      toMs: this.toMs,
      changesPerHour: options.changesPerHour ?? 0.3,
      rateMin: options.rateMin ?? 0.3,
      rateMax: options.rateMax ?? 40,
      texts: options.texts,
    });
    this.inject(options.faults ?? 26, this.fromMs + (options.leadMs ?? 45 * minute), random);
    this.running = this.worlds.map((world, i) => ({
      world,
      random: new Random(options.seed * 7_919 + i),
      walk: 0,
      cumulative: cumulativeOf(world),
      replaced: new Map(),
      version: '1.0.0',
      faults: this.faults.filter(({ service }) => service === world.name),
    }));
    for (const { world } of this.running) world.deploys.sort((a, b) => a.atMs - b.atMs);
  }

  /** Records that arrive in the next `stepMs`, in order of arrival; call it for rising times. */
  *arrivals(stepMs = 10_000): Generator<Arrival[]> {
    for (let atMs = this.fromMs; atMs < this.toMs; atMs += stepMs) {
      for (const one of this.running) this.make(one, atMs, atMs + stepMs);
      this.pending.sort((a, b) => a.arrivalMs - b.arrivalMs);
      let due = 0;
      while (due < this.pending.length && (this.pending[due] as Arrival).arrivalMs < atMs + stepMs) due++;
      const step = this.pending.slice(0, due);
      this.pending = this.pending.slice(due);
      yield step;
    }
    yield this.pending;
    this.pending = [];
  }

  /** Faults of all kinds in turn, on services that can have them, never two at a time on one, some at once on several. */
  private inject(count: number, firstMs: number, random: Random): void {
    const kinds: FaultKind[] = [];
    while (kinds.length < count) kinds.push(...faultKinds.slice().sort(() => random.next() - 0.5));
    const free = (fault: Fault): boolean =>
      fault.toMs <= this.toMs &&
      this.faults.every(
        (other) =>
          other.service !== fault.service ||
          fault.fromMs > other.toMs + 10 * minute ||
          other.fromMs > fault.toMs + 10 * minute,
      ) &&
      (this.worlds.find(({ name }) => name === fault.service) as ServiceWorld).deploys.every(
        ({ atMs }) => atMs < fault.fromMs - 6 * minute || atMs > fault.toMs + 6 * minute,
      );
    for (const kind of kinds.slice(0, count)) {
      for (let tries = 0; tries < 200; tries++) {
        const fromMs = Math.floor(firstMs + random.next() * (this.toMs - firstMs));
        const several = kind === 'cascade' ? 3 : 1;
        const made: Fault[] = [];
        for (let n = 0; n < several; n++) {
          const fault = makeFault(kind, random.pick(this.worlds), fromMs + n * (8_000 + random.below(30_000)), random);
          if (fault !== null && fault.phrases.length + 1 > 0 && free(fault)) made.push(fault);
        }
        if (made.length === 0 || new Set(made.map(({ service }) => service)).size < made.length) continue;
        this.faults.push(...made);
        break;
      }
    }
    this.faults.sort((a, b) => a.fromMs - b.fromMs);
  }

  private make(one: Running, fromMs: number, toMs: number): void {
    const { world, random } = one;
    const seconds = (toMs - fromMs) / 1_000;
    one.walk += world.drift * Math.sqrt(seconds / 60) * random.normal() - one.walk * 0.002;
    for (const deploy of world.deploys) {
      if (deploy.atMs < fromMs || deploy.atMs >= toMs) continue;
      one.version = deploy.version;
      for (const [from, to] of deploy.reworded) one.replaced.set(from, to);
      for (const line of deploy.lines) this.say(one, line, deploy.atMs + deploy.gapMs + random.below(2_000), none);
    }
    const effect = one.faults.map((fault) => effectOf(fault, fromMs)).reduce(both, none);
    const shape = 1 + world.dayAmplitude * Math.sin((2 * Math.PI * (fromMs + world.dayPhaseMs)) / day);
    const scale = latest(world.scaling, fromMs);
    const rate = world.rate * shape * Math.exp(one.walk) * scale * effect.rate;
    const at = (): number => Math.floor(fromMs + random.next() * (toMs - fromMs));
    const debug = latest(world.debugFactor, fromMs);
    for (let n = random.poisson(rate * seconds); n > 0; n--) {
      const phrase = this.pick(one);
      const repeats = phrase.severityNumber >= 9 ? 1 : debug >= 1 ? Math.round(debug) : random.next() < debug ? 1 : 0;
      for (let i = 0; i < repeats; i++) this.say(one, phrase, at(), effect);
    }
    const usual = effect.rate * scale;
    for (const [phrase, perSecond] of world.rare)
      for (let n = random.poisson(perSecond * usual * seconds); n > 0; n--) this.say(one, phrase, at(), effect);
    for (const pair of world.pairs)
      for (let n = random.poisson(pair.rate * shape * usual * seconds); n > 0; n--) {
        const id = random.hex(12);
        const first = at();
        this.say(one, pair.first, first, effect, id);
        this.say(one, pair.second, Math.floor(first + pair.lagMs * Math.exp(0.3 * random.normal())), effect, id);
      }
    for (const [phrase, perSecond] of effect.extra)
      for (let n = random.poisson(perSecond * seconds); n > 0; n--) this.say(one, phrase, at(), effect);
    if (effect.rate === 0) return;
    for (let n = random.poisson(world.burstRate * seconds); n > 0; n--) {
      const start = at();
      for (let i = 5 + random.below(25); i > 0; i--)
        this.say(one, world.burstPhrase, start + random.below(8_000), effect);
    }
    for (const cron of world.crons)
      if (Math.floor((fromMs - cron.offsetMs) / cron.everyMs) !== Math.floor((toMs - cron.offsetMs) / cron.everyMs))
        for (let i = 0; i < cron.lines; i++)
          this.say(one, cron.phrases[i % cron.phrases.length] as Phrase, fromMs + random.below(10_000), effect);
  }

  private pick(one: Running): Phrase {
    const at = one.random.next();
    let low = 0;
    let high = one.cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((one.cumulative[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
    return (one.world.voices[low] as { phrase: Phrase }).phrase;
  }

  private say(one: Running, phrase: Phrase, timeMs: number, effect: Effect, id = ''): void {
    const { world, random } = one;
    if (effect.mutes.has(phrase)) return;
    for (const { atMs, gapMs } of world.deploys) if (timeMs >= atMs && timeMs < atMs + gapMs) return;
    const said = one.replaced.get(phrase) ?? phrase;
    const state: FillState = { latency: effect.latency, version: one.version, id: id === '' ? random.hex(12) : id };
    const delay = random.next() < world.lateShare ? 5_000 + random.below(90_000) : Math.abs(300 * random.normal());
    this.pending.push({
      arrivalMs: timeMs + delay,
      record: {
        timeMs: timeMs + world.skewMs,
        service: world.name,
        severityNumber: world.mute ? 0 : said.severityNumber,
        severityText: world.mute ? '' : (severityTexts[said.severityNumber] ?? ''),
        body: said.fill(random, state),
      },
    });
  }
}

const severityTexts: Record<number, string> = { 5: 'DEBUG', 9: 'INFO', 13: 'WARN', 17: 'ERROR', 21: 'FATAL' };

function cumulativeOf(world: ServiceWorld): number[] {
  let sum = 0;
  return world.voices.map(({ share }) => (sum += share));
}

function latest(changes: readonly [number, number][], nowMs: number): number {
  let result = 1;
  let since = 0;
  for (const [fromMs, factor] of changes)
    if (fromMs <= nowMs && fromMs >= since) {
      result = factor;
      since = fromMs;
    }
  return result;
}

function both(a: Effect, b: Effect): Effect {
  return {
    rate: a.rate * b.rate,
    latency: a.latency * b.latency,
    extra: [...a.extra, ...b.extra],
    mutes: b.mutes.size > 0 ? b.mutes : a.mutes,
  };
}
