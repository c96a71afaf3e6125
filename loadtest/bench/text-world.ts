/**
 * Worlds whose services say what real logs say, with labelled incidents, drawn from as broad a range of habits as can
 * be thought of: even or bursty, skewed or flat, with and without severities, jobs, pairs, deploys, drift. Made apart
 * from the generator's own worlds, so that what suits those alone shows. Same seed and texts, same records.
 */
import { type Arrival, type FaultKind, Random } from '../../generator/mod.ts';
import { readsLikeFailure, type TextKind } from './text-corpus.ts';
import { makeTextFault, type TextFault, textFaultKinds } from './text-faults.ts';

const minute = 60_000;
const hour = 60 * minute;

/** What a service says of one kind. */
export interface Saying {
  lines: readonly string[];
  severityNumber: number;
  /** Records per second. */
  rate: number;
  /** Usual milliseconds that it tells, and the deviation of their logarithm; 0: tells none. */
  timeMs: number;
  timeScatter: number;
  /** Puts the time into words. */
  took(ms: number): string;
}

export interface TextService {
  name: string;
  /** For people who look for why a fault was missed. */
  about: string;
  mute: boolean;
  rate: number;
  skewMs: number;
  plain: Saying[];
  errors: Saying[];
  rare: Saying[];
  pairs: { first: Saying; second: Saying; lagMs: number }[];
  jobs: { everyMs: number; offsetMs: number; lines: number; overMs: number; saying: Saying }[];
  deploys: { atMs: number; gapMs: number; start: Saying[] }[];
  scaling: { atMs: number; factor: number }[];
  /** Kinds that it has not said yet. */
  freshErrors: Saying[];
  fresh: Saying[];
  slope: number;
  phase: number;
  noise: number;
  /** Mean records that come together. */
  clump: number;
  lumpsPerHour: number;
  disorderMs: number;
}

export interface TextWorldOptions {
  seed: number;
  texts: ReadonlyMap<string, readonly TextKind[]>;
  services?: number;
  hours?: number;
  faults?: number;
  /** Kinds of faults, default all. */
  kinds?: readonly FaultKind[];
  rateMin?: number;
  rateMax?: number;
}

export class TextWorld {
  readonly fromMs: number;
  readonly toMs: number;
  readonly faults: TextFault[] = [];
  readonly worlds: TextService[];
  private readonly random: Random;
  private pending: Arrival[] = [];
  private readonly walks = new Map<string, number>();

  constructor(options: TextWorldOptions) {
    this.random = new Random(options.seed * 31 + 7);
    const { random } = this;
    this.fromMs = Date.UTC(2025, 8, 1) + Math.floor(20 * 24 * hour * random.next());
    this.toMs = this.fromMs + (options.hours ?? 3) * hour;
    const range = [options.rateMin ?? 0.2, options.rateMax ?? 40] as const;
    this.worlds = Array.from({ length: options.services ?? 20 }, (_, i) =>
      makeTextService(options.texts, i, range, this.fromMs, this.toMs, new Random(options.seed * 997 + i)),
    );
    this.inject(options.faults ?? 26, options.kinds ?? textFaultKinds);
  }

  /** Records in order of arrival, ten seconds at a time. */
  *arrivals(): Generator<Arrival[]> {
    const stepMs = 10_000;
    for (let atMs = this.fromMs; atMs < this.toMs; atMs += stepMs) {
      for (const service of this.worlds) this.make(service, atMs, atMs + stepMs);
      this.pending.sort((a, b) => a.arrivalMs - b.arrivalMs);
      let due = 0;
      while (due < this.pending.length && (this.pending[due] as Arrival).arrivalMs < atMs + stepMs) due++;
      yield this.pending.splice(0, due);
    }
    yield this.pending.splice(0);
  }

  private inject(count: number, of: readonly FaultKind[]): void {
    const { random } = this;
    const kinds: FaultKind[] = [];
    while (kinds.length < count) kinds.push(...shuffled(of, random));
    const isFree = (fault: TextFault, others: readonly TextFault[]): boolean =>
      fault.toMs <= this.toMs &&
      others.every(
        ({ service, fromMs, toMs }) =>
          service !== fault.service || fault.fromMs > toMs + 10 * minute || fromMs > fault.toMs + 10 * minute,
      );
    const hasDeploy = (service: TextService, { fromMs, toMs }: TextFault): boolean =>
      [...service.deploys, ...service.scaling].some(
        ({ atMs }) => atMs > fromMs - 6 * minute && atMs < toMs + 6 * minute,
      );
    const firstMs = this.fromMs + 45 * minute;
    let left = count;
    for (const kind of kinds) {
      if (left <= 0) break;
      for (let tries = 0; tries < 200; tries++) {
        const fromMs = Math.floor(firstMs + random.next() * (this.toMs - firstMs));
        const made: TextFault[] = [];
        for (const [n, service] of shuffled(this.worlds, random)
          .slice(0, kind === 'cascade' ? 3 : 1)
          .entries()) {
          const fault = makeTextFault(kind, service, fromMs + n * (5_000 + random.below(25_000)), this.fromMs, random);
          if (fault !== null && isFree(fault, this.faults) && !hasDeploy(service, fault)) made.push(fault);
        }
        if (made.length === 0 || (kind === 'cascade' && made.length < 2)) continue;
        this.faults.push(...made);
        left -= made.length;
        break;
      }
    }
    this.faults.sort((a, b) => a.fromMs - b.fromMs);
  }

  private make(service: TextService, fromMs: number, toMs: number): void {
    const { random } = this;
    const seconds = (toMs - fromMs) / 1_000;
    const walk = 0.97 * (this.walks.get(service.name) ?? 0) + 0.24 * service.noise * random.normal();
    this.walks.set(service.name, walk);
    const faults = this.faults.filter(
      (fault) => fault.service === service.name && fault.fromMs < toMs && fault.toMs > fromMs,
    );
    const scale = service.scaling.reduce((all, { atMs, factor }) => (atMs <= fromMs ? all * factor : all), 1);
    const day = 1 + service.slope * Math.sin((2 * Math.PI * fromMs) / (24 * hour) + service.phase);
    const level = day * scale * Math.exp(walk);
    const strongest = faults.reduce((most, { rate }) => Math.max(most, rate), 1);
    const rateAt = (atMs: number): number =>
      faults.reduce((all, fault) => (atMs >= fault.fromMs && atMs < fault.toMs ? all * fault.rate : all), 1);
    /** Moments of a process with so many a second, as faults bend it. */
    const moments = (perSecond: number): number[] =>
      Array.from(
        { length: random.poisson(perSecond * strongest * seconds) },
        () => fromMs + random.next() * (toMs - fromMs),
      ).filter((atMs) => random.next() * strongest < rateAt(atMs));
    const say = (saying: Saying, atMs: number): void => this.say(service, saying, Math.floor(atMs), faults);
    const total = service.plain.reduce((sum, { rate }) => sum + rate, 0);
    for (const atMs of moments((total * level) / service.clump)) {
      let at = atMs;
      do {
        let left = random.next() * total;
        say(service.plain.find(({ rate }) => (left -= rate) < 0) ?? (service.plain[0] as Saying), at);
        at += -250 * Math.log(1 - random.next());
      } while (random.next() > 1 / service.clump);
    }
    for (const saying of service.errors) for (const atMs of moments(saying.rate * level)) say(saying, atMs);
    for (const saying of service.rare) for (const atMs of moments(saying.rate)) say(saying, atMs);
    for (const { first, second, lagMs } of service.pairs)
      for (const atMs of moments(first.rate * level)) {
        say(first, atMs);
        say(second, atMs + lagMs * Math.exp(0.4 * random.normal()));
      }
    for (const atMs of moments(service.lumpsPerHour / 3_600))
      for (
        let n = 3 + random.below(15), saying = random.pick(service.rare.length > 0 ? service.rare : service.plain);
        n > 0;
        n--
      )
        say(saying, atMs + random.below(6_000));
    for (const { everyMs, offsetMs, lines, overMs, saying } of service.jobs)
      if (Math.floor((fromMs - offsetMs) / everyMs) !== Math.floor((toMs - offsetMs) / everyMs))
        for (let i = 0; i < lines; i++) say(saying, toMs + random.next() * overMs);
    for (const { atMs, gapMs, start } of service.deploys)
      if (atMs >= fromMs && atMs < toMs)
        for (const [i, saying] of start.entries()) say(saying, atMs + gapMs + 200 * i + random.below(300));
    for (const fault of faults)
      for (let n = random.poisson(fault.extraMax * seconds); n > 0; n--) {
        const atMs = fromMs + random.next() * (toMs - fromMs);
        if (atMs < fault.fromMs || atMs >= fault.toMs) continue;
        if (random.next() < fault.extraAt((atMs - fault.fromMs) / (fault.toMs - fault.fromMs)))
          say(random.pick(fault.sayings), atMs);
      }
  }

  private say(service: TextService, saying: Saying, timeMs: number, faults: readonly TextFault[]): void {
    const { random } = this;
    for (const { atMs, gapMs } of service.deploys) if (timeMs >= atMs && timeMs < atMs + gapMs) return;
    let slower = 1;
    for (const fault of faults) {
      if (timeMs < fault.fromMs || timeMs >= fault.toMs) continue;
      if (fault.rate === 0 || fault.muted === saying) return;
      slower *= fault.creep ** ((timeMs - fault.fromMs) / (5 * minute));
    }
    const time =
      saying.timeMs === 0 ? '' : saying.took(saying.timeMs * slower * Math.exp(saying.timeScatter * random.normal()));
    this.pending.push({
      arrivalMs: timeMs + Math.abs(service.disorderMs * random.normal()),
      record: {
        timeMs: timeMs + service.skewMs,
        service: service.name,
        severityNumber: service.mute ? 0 : saying.severityNumber,
        severityText: service.mute ? '' : (severityTexts[saying.severityNumber] ?? ''),
        body: random.pick(saying.lines) + time,
      },
    });
  }
}

const severityTexts: Record<number, string> = { 5: 'DEBUG', 9: 'INFO', 13: 'WARN', 17: 'ERROR', 21: 'FATAL' };

/** Ways of telling a time. */
const tellings: ((ms: number) => string)[] = [
  (ms) => ` took ${Math.max(1, Math.round(ms))} ms`,
  (ms) => ` in ${Math.max(1, Math.round(ms))}ms`,
  (ms) => ` time: ${(ms / 1_000).toFixed(7)}`,
  (ms) => ` elapsed=${ms.toFixed(1)}ms`,
  (ms) => ` (${(ms / 1_000).toFixed(3)} seconds)`,
  (ms) => ` latency_ms=${Math.max(1, Math.round(ms))}`,
  (ms) => ` duration ${Math.round(ms * 1_000)} us`,
];

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const all = items.slice();
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

/** Log-uniform. */
function between(low: number, high: number, random: Random): number {
  return low * (high / low) ** random.next();
}

function makeTextService(
  texts: TextWorldOptions['texts'],
  index: number,
  [rateMin, rateMax]: readonly [number, number],
  fromMs: number,
  toMs: number,
  random: Random,
): TextService {
  const rich = [...texts.values()].filter((kinds) => kinds.filter(isPlain).length >= 6);
  const own = random.pick(rich);
  const source = own[0]?.source ?? '';
  const mute = random.next() < (own.every(({ severityNumber }) => severityNumber === 0) ? 0.4 : 0.12);
  const rate = between(rateMin, rateMax, random);
  const skew = between(0.15, 1.2, random);
  const chosen = shuffled(own.filter(isPlain), random).slice(0, 5 + random.below(36));
  const saying = (kind: TextKind, perSecond: number, severity = kind.severityNumber || 9): Saying => ({
    lines: kind.lines,
    severityNumber: severity,
    rate: perSecond,
    timeMs: 0,
    timeScatter: 0,
    took: () => '',
  });
  const take = (least: number, share: number): TextKind[] =>
    chosen.splice(0, chosen.length > least ? Math.floor((chosen.length - least) * share) : 0);
  // What a service says now and then, in pairs, in jobs, at start.
  const fresh = take(4, 0.2).map((kind) => saying(kind, 0, 9));
  const rare = take(3, 0.35 * random.next()).map((kind) => saying(kind, 1 / between(120, 1_200, random), 9));
  const pairs: TextService['pairs'] = [];
  for (let n = random.below(3); n > 0 && chosen.length >= 6; n--) {
    const perSecond = rate * between(0.02, 0.15, random);
    const [first, second] = chosen.splice(0, 2).map((kind) => saying(kind, perSecond, 9)) as [Saying, Saying];
    if (perSecond > 0.02) pairs.push({ first, second, lagMs: between(20, 3_000, random) });
  }
  const jobs: TextService['jobs'] = [];
  while (random.next() < 0.4 && chosen.length > 4)
    jobs.push({
      everyMs: random.pick([1, 5, 10, 15, 30]) * minute,
      offsetMs: random.below(30 * minute),
      lines: 1 + Math.round(rate * between(0.5, 15, random)),
      overMs: between(1_000, 20_000, random),
      saying: saying(chosen.shift() as TextKind, 0, 9),
    });
  const weights = chosen.map(({ count }) => count ** skew * Math.exp(0.5 * random.normal()));
  const total = weights.reduce((sum, one) => sum + one, 0);
  const plain = chosen.map((kind, i) => saying(kind, (rate * (weights[i] as number)) / total));
  if (random.next() < 0.55)
    for (const one of shuffled(plain, random).slice(0, 1 + random.below(3))) {
      one.timeMs = between(2, 2_000, random);
      one.timeScatter = between(0.1, 0.8, random);
      one.took = random.pick(tellings);
    }
  const failures = shuffled(
    [...texts.values()].flat().filter((kind) => kind.severityNumber >= 17 && (!mute || readsLikeFailure(kind))),
    random,
  );
  const ownFailures = failures.filter((kind) => kind.source === source);
  const usual = [...ownFailures, ...failures.filter((kind) => kind.source !== source)].slice(0, 1 + random.below(4));
  const errorRate = random.next() < 0.15 ? 1 / between(300, 1_200, random) : rate * between(0.0005, 0.02, random);
  const said = [...plain, ...rare, ...fresh, ...pairs.flatMap(({ first, second }) => [first, second])];
  const words = new Set(
    [...said, ...jobs.map((job) => job.saying)].flatMap(({ lines }) => wordsOf(lines[0] as string)),
  );
  const hours = (toMs - fromMs) / hour;
  const when = (): number => Math.floor(fromMs + 5 * minute + random.next() * (toMs - fromMs - 10 * minute));
  const noise = random.next() < 0.5 ? 0 : 0.15 * random.next();
  const clump = random.next() < 0.6 ? 1 : between(1.2, 6, random);
  const timed = plain.filter(({ timeMs }) => timeMs > 0);
  return {
    about: `errors ${errorRate.toFixed(4)}/s, clump ${clump.toFixed(1)}, noise ${noise.toFixed(2)}, ${plain.length} kinds, timed ${timed.map((one) => `${one.rate.toFixed(2)}/s±${one.timeScatter.toFixed(2)}`).join(' ')}`,
    name: `${random.pick(['api', 'core', 'edge', 'job', 'data', 'ui'])}-${source.toLowerCase()}-${index}`,
    mute,
    rate,
    skewMs: random.next() < 0.2 ? Math.round(2_000 * random.normal()) : 0,
    plain,
    errors: usual.map((kind) => saying(kind, errorRate / usual.length, 17)),
    rare,
    pairs,
    jobs,
    deploys: Array.from({ length: random.poisson(0.15 * hours) }, () => ({
      atMs: when(),
      gapMs: between(2_000, 25_000, random),
      start: fresh.slice(0, 6),
    })),
    scaling: random.next() < 0.15 ? [{ atMs: when(), factor: between(0.75, 1.35, random) }] : [],
    freshErrors: failures
      .filter((kind) => !usual.includes(kind) && isOther(kind, usual) && isUnlike(kind, words))
      .slice(0, 8)
      .map((kind) => saying(kind, 0, 17)),
    fresh,
    slope: 0.5 * random.next(),
    phase: 6.28 * random.next(),
    noise,
    clump,
    lumpsPerHour: random.next() < 0.3 ? between(0.5, 4, random) : 0,
    disorderMs: between(5, 800, random),
  };
}

function isPlain(kind: TextKind): boolean {
  return kind.severityNumber < 17 && !readsLikeFailure(kind);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]{3,}/g) ?? [];
}

/** Most of its words are its own. */
function isUnlike(kind: TextKind, known: ReadonlySet<string>): boolean {
  const words = wordsOf(kind.lines[0] as string);
  return words.length >= 3 && words.filter((word) => !known.has(word)).length >= 0.5 * words.length;
}

function isOther(kind: TextKind, others: readonly TextKind[]): boolean {
  const words = new Set(wordsOf(kind.lines[0] as string));
  return others.every(({ lines }) => {
    const all = wordsOf(lines[0] as string);
    return all.filter((word) => words.has(word)).length < 0.5 * Math.max(all.length, words.size);
  });
}
