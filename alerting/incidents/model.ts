/**
 * What chance would do. How often onsets of a service come is learned online, in event time; so is how often two
 * services set in near each other. Strengths are powers of ten (bans) by which chance is a bad explanation.
 */
import type { Fading, Model } from './types.ts';

const dayMs = 86_400_000;
const halfLifeMs = 7 * dayMs;
/** Before anything is known: so many onsets a day. */
const priorPerDay = 6;
/** How long what was assumed counts against what was seen, ms. */
const priorMs = dayMs / 2;
/** Onsets this near each other count for the pair, ms. */
export const nearMs = 120_000;
const closenessMax = 2.5;
const liftMax = 1.2;
/** Onsets before one that it makes a pair with: where everything falls over at once, no pair says anything. */
const pairsOfOnsetMax = 16;
export const modelServicesMax = 2_000;
export const modelPairsMax = 4_000;

export function emptyModel(): Model {
  return { sinceMs: null, services: new Map(), pairs: new Map() };
}

const pairOf = (a: string, b: string): string => (a < b ? `${a}\u0000${b}` : `${b}\u0000${a}`);

function faded(fading: Fading | undefined, atMs: number): number {
  if (fading === undefined) return 0;
  return fading.count * 2 ** (-Math.max(0, atMs - fading.atMs) / halfLifeMs);
}

/** Onsets of a service per ms. */
function rateOf(model: Model, service: string, atMs: number): number {
  const lifeMs = halfLifeMs / Math.LN2;
  const passedMs = Math.max(0, atMs - (model.sinceMs ?? atMs));
  // What is known of long ago has faded on both sides of the fraction.
  const knownMs = lifeMs * (1 - Math.exp(-passedMs / lifeMs));
  const prior = (priorPerDay * priorMs) / dayMs;
  return (faded(model.services.get(service), atMs) + prior) / (knownMs + priorMs);
}

function chanceAt(ratePerMs: number, withinMs: number): number {
  return 1 - Math.exp(-ratePerMs * withinMs);
}

/**
 * What is known of some services at a moment. Pairs of onsets whose later one lies there are weighed against chance;
 * services are named by their place in the list, as the pairs of a storm are many.
 */
export class ModelAt {
  private readonly model: Model;
  private readonly services: readonly string[];
  /** Whether onsets of a service were learned, the others all have one rate; and whether it is one of a pair. */
  private readonly isKnown: Uint8Array;
  private readonly isPaired: Uint8Array;
  private readonly rates: Float64Array;
  private atMs = Number.NaN;

  constructor(model: Model, services: readonly string[]) {
    this.model = model;
    this.services = services;
    this.isKnown = Uint8Array.from(services, (service) => (model.services.has(service) ? 1 : 0));
    const inPairs = pairedServices(model);
    this.isPaired = Uint8Array.from(services, (service) => (inPairs.has(service) ? 1 : 0));
    this.rates = new Float64Array(services.length);
  }

  moveTo(atMs: number): void {
    if (atMs === this.atMs) return;
    this.atMs = atMs;
    const { model, services, rates, isKnown } = this;
    rates.fill(rateOf(model, '', atMs));
    for (let at = 0; at < services.length; at++)
      if (isKnown[at] === 1) rates[at] = rateOf(model, services[at] as string, atMs);
  }

  /**
   * Against two onsets lying within so many ms of each other by chance. The noisier of the two decides. 0 where chance
   * is surely more likely than `chanceMax`, which spares most of the work.
   */
  closeness(a: number, b: number, withinMs: number, chanceMax: number): number {
    const { rates } = this;
    const rate = Math.max(rates[a] as number, rates[b] as number);
    // 1 − e^−x ≥ x − x²/2, so the chance is at least that, and closeness at most minus its logarithm.
    const x = 2 * withinMs * rate;
    if (x < 1 && x - (x * x) / 2 > chanceMax) return 0;
    const chance = 1 - Math.exp(-rate * (2 * withinMs));
    return Math.min(closenessMax, Math.max(0, -Math.log10(chance)));
  }

  /** How much more often than by chance the two set in near each other; 0 where little is known. */
  coMovement(a: number, b: number): number {
    const { model, services, atMs, rates } = this;
    if (this.isPaired[a] === 0 || this.isPaired[b] === 0) return 0;
    const [one, other] = [services[a] as string, services[b] as string];
    const pair = model.pairs.get(pairOf(one, other));
    if (pair === undefined) return 0;
    const expected =
      faded(model.services.get(one), atMs) * chanceAt(rates[b] as number, 2 * nearMs) +
      faded(model.services.get(other), atMs) * chanceAt(rates[a] as number, 2 * nearMs);
    const lift = Math.log10((faded(pair, atMs) + 0.5) / (expected / 2 + 0.5));
    return Math.min(liftMax, Math.max(-liftMax, lift));
  }
}

/** Memo of a pure function: a model is replaced, never changed. */
const paired = new WeakMap<Model, ReadonlySet<string>>();

function pairedServices(model: Model): ReadonlySet<string> {
  const known = paired.get(model);
  if (known !== undefined) return known;
  const services = new Set([...model.pairs.keys()].flatMap((pair) => pair.split('\u0000')));
  paired.set(model, services);
  return services;
}

/** Takes in the onsets of a stretch of time, whichever incidents they were found to be part of. */
export function learn(model: Model, onsets: readonly { service: string; atMs: number }[]): Model {
  if (onsets.length === 0) return model;
  const services = new Map(model.services);
  const pairs = new Map(model.pairs);
  let { sinceMs } = model;
  for (const [at, { service, atMs }] of onsets.entries()) {
    sinceMs = Math.min(sinceMs ?? atMs, atMs);
    count(services, service, atMs, modelServicesMax);
    for (let before = at - 1; before >= Math.max(0, at - pairsOfOnsetMax); before--) {
      const other = onsets[before] as { service: string; atMs: number };
      if (atMs - other.atMs > nearMs) break;
      if (other.service !== service) count(pairs, pairOf(other.service, service), atMs, modelPairsMax);
    }
  }
  return { sinceMs, services, pairs };
}

/** Moves to the end: what was longest without an onset is forgotten first. */
function count(map: Map<string, Fading>, key: string, atMs: number, most: number): void {
  const known = map.get(key);
  const at = Math.max(atMs, known?.atMs ?? atMs);
  map.delete(key);
  map.set(key, { count: faded(known, at) + 1, atMs: at });
  if (map.size > most) map.delete(map.keys().next().value as string);
}
