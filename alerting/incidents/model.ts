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

function chanceWithin(model: Model, service: string, withinMs: number, atMs: number): number {
  return 1 - Math.exp(-rateOf(model, service, atMs) * withinMs);
}

/** Against two onsets lying within so many ms of each other by chance. The noisier of the two decides. */
export function closeness(model: Model, a: string, b: string, withinMs: number, atMs: number): number {
  const chance = Math.max(chanceWithin(model, a, 2 * withinMs, atMs), chanceWithin(model, b, 2 * withinMs, atMs));
  return Math.min(closenessMax, Math.max(0, -Math.log10(chance)));
}

/** How much more often than by chance the two set in near each other; 0 where little is known. */
export function coMovement(model: Model, a: string, b: string, atMs: number): number {
  const pair = model.pairs.get(pairOf(a, b));
  if (pair === undefined) return 0;
  const expected =
    faded(model.services.get(a), atMs) * chanceWithin(model, b, 2 * nearMs, atMs) +
    faded(model.services.get(b), atMs) * chanceWithin(model, a, 2 * nearMs, atMs);
  const lift = Math.log10((faded(pair, atMs) + 0.5) / (expected / 2 + 0.5));
  return Math.min(liftMax, Math.max(-liftMax, lift));
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
