/**
 * A world: services that behave as services do when nothing is wrong. Rates from one record in twenty seconds to
 * hundreds a second, days with a shape of their own, drifting load, cron jobs, bursts of retries, chatty debug output,
 * rare messages, pairs of messages that belong together, deploys, autoscaling, skewed clocks, late records.
 */
import { inventTexts, type Phrase, type ServiceTexts } from './phrases.ts';
import { Random } from './random.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A kind of message with its part in the service's traffic. */
export interface Voice {
  phrase: Phrase;
  /** Share of the service's records. */
  share: number;
}

/** A message that is followed by another one. */
export interface Pair {
  first: Phrase;
  second: Phrase;
  /** Of the first, per second. */
  rate: number;
  /** Usual time from the first to the second, ms. */
  lagMs: number;
}

interface Cron {
  everyMs: number;
  offsetMs: number;
  lines: number;
  phrases: Phrase[];
}

/** What a harmless deploy does. */
export interface Deploy {
  atMs: number;
  gapMs: number;
  /** Start-up messages. */
  lines: Phrase[];
  /** Phrases that say the same in other words from then on. */
  reworded: [Phrase, Phrase][];
  version: string;
}

export interface ServiceWorld {
  name: string;
  texts: ServiceTexts;
  /** Mean records per second. */
  rate: number;
  dayAmplitude: number;
  dayPhaseMs: number;
  /** Random walk of the log rate: standard deviation per minute. */
  drift: number;
  /** Common messages, their shares adding up to 1. */
  voices: Voice[];
  /** Messages that come now and then: [phrase, per second]. */
  rare: [Phrase, number][];
  pairs: Pair[];
  crons: Cron[];
  /** Bursts of retries per second, and the phrase they repeat. */
  burstRate: number;
  burstPhrase: Phrase;
  /** Says no severity. */
  mute: boolean;
  skewMs: number;
  lateShare: number;
  deploys: Deploy[];
  /** Lasting changes of the rate: [from, factor]. */
  scaling: [number, number][];
  /** Debug output on or off: [from, factor]. */
  debugFactor: [number, number][];
}

export interface WorldOptions {
  seed: number;
  services: number;
  fromMs: number;
  toMs: number;
  /** Harmless changes (deploys, autoscaling, log levels) per service and hour. */
  changesPerHour: number;
  /** Rates between these, heavy-tailed, records per second. */
  rateMin: number;
  rateMax: number;
  /** Texts of a service, where they are not to be invented. */
  texts?: ((random: Random, service: number) => ServiceTexts) | undefined;
}

export function makeWorld(options: WorldOptions): ServiceWorld[] {
  return Array.from({ length: options.services }, (_, i) => makeService(options, i));
}

function makeService(options: WorldOptions, index: number): ServiceWorld {
  const random = new Random(options.seed * 1_000 + index);
  const rate = options.rateMin * (options.rateMax / options.rateMin) ** (random.next() ** 1.3);
  const mute = random.next() < 0.2;
  const texts =
    options.texts?.(random, index) ?? inventTexts(random, 4 + random.below(28), 5 * 2 ** (8 * random.next()), mute);
  const shuffled = texts.info.slice().sort(() => random.next() - 0.5);
  const common = shuffled.slice(0, Math.max(2, Math.ceil(shuffled.length * 0.6)));
  const rest = shuffled.slice(common.length);
  const voices: Voice[] = common.map((phrase, i) => ({
    phrase,
    share: (0.4 + random.next()) / (i + 1) ** (0.4 + random.next()),
  }));
  const chatty = random.next() < 0.3 ? 1 : 0.15;
  for (const phrase of texts.debug) voices.push({ phrase, share: chatty * random.next() });
  for (const phrase of texts.warnings) voices.push({ phrase, share: 0.03 * random.next() });
  const errorShare = 0.0005 * 40 ** random.next();
  const usualErrors = texts.errors.slice(0, Math.max(1, texts.errors.length - 1));
  for (const phrase of usualErrors) voices.push({ phrase, share: (errorShare * 2) / usualErrors.length });
  const total = voices.reduce((sum, { share }) => sum + share, 0);
  for (const voice of voices) voice.share /= total;
  const pairs: Pair[] = [];
  for (let n = random.below(3); n > 0 && rest.length >= 2; n--)
    pairs.push({
      first: rest.pop() as Phrase,
      second: rest.pop() as Phrase,
      rate: Math.min(0.5, rate * 0.2) * (0.2 + 0.8 * random.next()),
      lagMs: 50 * 40 ** random.next(),
    });
  const crons: Cron[] = [];
  while (random.next() < 0.5 && crons.length < 3 && rest.length > 0)
    crons.push({
      everyMs: random.pick([5, 10, 15, 30, 60]) * minute,
      offsetMs: random.below(60) * minute + random.below(60_000),
      lines: 1 + Math.round(rate * 20 * random.next() ** 2),
      phrases: rest.splice(0, 2),
    });
  const rare: [Phrase, number][] = rest.map((phrase) => [phrase, 1 / (300 * 30 ** random.next())]);
  for (const phrase of texts.errors.slice(usualErrors.length)) rare.push([phrase, 1 / (600 * 10 ** random.next())]);
  const world: ServiceWorld = {
    name: `${random.pick(['api', 'core', 'edge', 'job', 'data', 'ui'])}-${random.hex(4)}-${index}`,
    texts,
    rate,
    dayAmplitude: 0.7 * random.next(),
    dayPhaseMs: 24 * hour * random.next(),
    drift: 0.02 * random.next() ** 2,
    voices,
    rare,
    pairs,
    crons,
    burstRate: random.next() < 0.5 ? 1 / (600 * 10 ** random.next()) : 0,
    burstPhrase: random.pick(texts.warnings.length > 0 ? texts.warnings : texts.info),
    mute,
    skewMs: random.next() < 0.3 ? Math.round(2_000 * random.normal()) : 0,
    lateShare: random.next() < 0.3 ? 0.003 : 0,
    deploys: [],
    scaling: [],
    debugFactor: [],
  };
  const hours = (options.toMs - options.fromMs) / hour;
  for (let n = random.poisson(options.changesPerHour * hours); n > 0; n--) change(world, options, random);
  return world;
}

function change(world: ServiceWorld, options: WorldOptions, random: Random): void {
  const atMs = options.fromMs + random.next() * (options.toMs - options.fromMs);
  const kind = random.next();
  if (kind < 0.6) world.deploys.push(deployAt(world, atMs, random));
  else if (kind < 0.8) world.scaling.push([atMs, 0.75 + 0.6 * random.next()]);
  // Without severities there is no level to set.
  else if (!world.mute) world.debugFactor.push([atMs, random.pick([0, 0.3, 3])]);
}

/** A restart with a short gap, a new version, a few start-up lines, and now and then other words for the same. */
export function deployAt(world: ServiceWorld, atMs: number, random: Random): Deploy {
  const fresh = world.texts.freshInfo;
  const version = `${1 + random.below(9)}.${random.below(30)}.${random.below(99)}`;
  const reworded: [Phrase, Phrase][] = [];
  // The first three are start-up messages.
  for (let n = random.below(3); n > 0 && fresh.length > 3; n--)
    reworded.push([
      random.pick(world.voices.filter(({ phrase }) => phrase.severityNumber === 9)).phrase,
      fresh.pop() as Phrase,
    ]);
  return { atMs, gapMs: 2_000 + random.below(18_000), lines: fresh.slice(0, 3), reworded, version };
}
