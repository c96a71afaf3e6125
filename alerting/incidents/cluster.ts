/**
 * Which findings belong together: a pure function of a set of findings and of what was learned before them. A service's
 * own findings are grouped first, into episodes. Episodes of different services are then joined, by evidence first;
 * nearness alone joins only what evidence has not bound to something else, so that two incidents of the same
 * moment stay apart. Weak episodes join at the end and nothing joins by them.
 */
import { common, united } from './clues.ts';
import { closeness, coMovement } from './model.ts';
import type { Clues, Finding, IncidentConfig, Model, Onset } from './types.ts';

/** Bans from which two episodes are one incident. */
export const joinFrom = 2;
/** Evidence from which two episodes are bound: a host in common is enough. */
const bindsFrom = 1;
/** A service's findings this soon after another of it ended are one episode, ms. */
const ownGapMs = 120_000;
/** A clock and a buffer between services are allowed for, ms. */
const slackMs = 15_000;
/** Pairs looked at are at most half the square of it. What is over stays by itself. */
export const episodesMax = 300;

/** What names shared by so many services still say, against two. */
const ordinary = 3;
const bans = { id: 2.5, mention: 0.7, host: 1, text: 0.5, max: 3.5 } as const;

export interface Episode {
  service: string;
  findings: Finding[];
  onset: Onset;
  /** Until when further findings of the service are of it. */
  reachMs: number;
  strong: boolean;
  clues: Clues;
}

/** In order of time; equal for equal sets. */
export function byOnset(a: Finding, b: Finding): number {
  return a.onset.byMs - b.onset.byMs || a.onset.fromMs - b.onset.fromMs || (a.anomalyId < b.anomalyId ? -1 : 1);
}

/** Time between two onsets at least, ms. */
export function gapBetween(a: Onset, b: Onset): number {
  return Math.max(0, a.fromMs - b.byMs, b.fromMs - a.byMs);
}

/** @param findings in order of onset */
export function episodesOf(findings: readonly Finding[], config: IncidentConfig): Episode[] {
  const episodes: Episode[] = [];
  const latest = new Map<string, Episode>();
  for (const finding of findings) {
    const strong = finding.groupScore >= config.scoreMin;
    const open = latest.get(finding.service);
    const { fromMs, byMs } = finding.onset;
    if (open !== undefined && fromMs <= open.reachMs && byMs - open.onset.fromMs <= config.spanMs) {
      open.findings.push(finding);
      open.onset = { fromMs: Math.min(open.onset.fromMs, fromMs), byMs: Math.min(open.onset.byMs, byMs) };
      // A trickle of weak findings does not keep an episode going.
      if (strong) open.reachMs = Math.max(open.reachMs, finding.groupEndMs + ownGapMs);
      open.strong ||= strong;
      open.clues = united(open.clues, finding.clues);
      continue;
    }
    const { service, onset, clues } = finding;
    const reachMs = (strong ? finding.groupEndMs : byMs) + ownGapMs;
    const episode = { service, findings: [finding], onset, reachMs, strong, clues };
    latest.set(service, episode);
    episodes.push(episode);
  }
  return episodes;
}

interface Edge {
  a: number;
  b: number;
  strength: number;
  evidence: number;
}

/** @param findings in order of onset. Returns clusters of them, each in order of onset, in order of their first. */
export function clustersOf(findings: readonly Finding[], model: Model, config: IncidentConfig): Finding[][] {
  const episodes = episodesOf(findings, config);
  const sets = new Sets(episodes, config.spanMs);
  const strong = edgesOf(episodes, model, config);
  const weak: Edge[] = [];
  for (const edge of strong) {
    if (!bothStrong(episodes, edge)) weak.push(edge);
    else if (edge.evidence >= bindsFrom) sets.join(edge.a, edge.b, true);
  }
  for (const edge of strong)
    if (bothStrong(episodes, edge) && !(sets.bound(edge.a) && sets.bound(edge.b))) sets.join(edge.a, edge.b, false);
  for (const { a, b } of weak) {
    const [one, other] = episodes[a]?.strong === true ? [a, b] : [b, a];
    if (sets.alone(other)) sets.join(one, other, false);
  }
  return sets.all().map((members) => members.flatMap((at) => (episodes[at] as Episode).findings).sort(byOnset));
}

function bothStrong(episodes: readonly Episode[], { a, b }: Edge): boolean {
  return (episodes[a] as Episode).strong && (episodes[b] as Episode).strong;
}

/** Those strong enough to join, strongest first; at least one end is strong. */
function edgesOf(episodes: readonly Episode[], model: Model, config: IncidentConfig): Edge[] {
  const looked = episodes.slice(0, episodesMax);
  const holders = holdersOf(looked);
  const edges: Edge[] = [];
  for (const [b, later] of looked.entries()) {
    for (let a = 0; a < b; a++) {
      const earlier = looked[a] as Episode;
      if (earlier.service === later.service || !(earlier.strong || later.strong)) continue;
      const gapMs = gapBetween(earlier.onset, later.onset);
      if (gapMs > config.gapMs) continue;
      const atMs = Math.max(earlier.onset.byMs, later.onset.byMs);
      const withinMs = gapMs + slackMs + (lengthOf(earlier.onset) + lengthOf(later.onset)) / 2;
      const near = closeness(model, earlier.service, later.service, withinMs, atMs);
      const moved = near + coMovement(model, earlier.service, later.service, atMs);
      // Evidence is dear to weigh, and of most pairs the most there can be would not suffice.
      if (moved + bans.max < joinFrom) continue;
      const evidence = evidenceOf(earlier, later, holders);
      const strength = moved + evidence;
      if (strength >= joinFrom) edges.push({ a, b, strength, evidence });
    }
  }
  return edges.sort((x, y) => y.strength - x.strength || x.b - y.b || x.a - y.a);
}

const lengthOf = ({ fromMs, byMs }: Onset): number => byMs - fromMs;

/** How many services name a host: one that all name says little. */
function holdersOf(episodes: readonly Episode[]): Map<string, number> {
  const services = new Map<string, Set<string>>();
  for (const { service, clues } of episodes)
    for (const name of [...clues.hosts, ...clues.texts]) {
      const known = services.get(name) ?? new Set();
      services.set(name, known.add(service));
    }
  return new Map([...services].map(([name, of]) => [name, of.size]));
}

function evidenceOf(a: Episode, b: Episode, holders: ReadonlyMap<string, number>): number {
  const weigh = (names: readonly string[], most: number): number => {
    let best = 0;
    for (const name of names) best = Math.max(best, most * Math.min(1, ordinary / (holders.get(name) ?? 1)));
    return best;
  };
  const sum =
    (common(a.clues.ids, b.clues.ids).length > 0 ? bans.id : 0) +
    (mentions(a, b) || mentions(b, a) ? bans.mention : 0) +
    weigh(common(a.clues.hosts, b.clues.hosts), bans.host) +
    weigh(common(a.clues.texts, b.clues.texts), bans.text);
  return Math.min(bans.max, sum);
}

export function mentions(a: Pick<Episode, 'clues'>, b: Pick<Episode, 'service'>): boolean {
  return a.clues.words.includes(b.service.toLowerCase());
}

/** Disjoint sets of episodes. */
class Sets {
  private readonly parent: number[];
  private readonly members: number[][];
  private readonly onset: Onset[];
  private readonly isBound: boolean[];
  private readonly spanMs: number;

  constructor(episodes: readonly Episode[], spanMs: number) {
    this.parent = episodes.map((_, at) => at);
    this.members = episodes.map((_, at) => [at]);
    // The latest onset certainly lies by its end, the earliest from its beginning: wide onsets count by their end.
    this.onset = episodes.map(({ onset }) => ({ fromMs: onset.byMs, byMs: onset.byMs }));
    this.isBound = episodes.map(() => false);
    this.spanMs = spanMs;
  }

  private find(at: number): number {
    let root = at;
    while (this.parent[root] !== root) root = this.parent[root] as number;
    return root;
  }

  bound(at: number): boolean {
    return this.isBound[this.find(at)] === true;
  }

  alone(at: number): boolean {
    return (this.members[this.find(at)] as number[]).length === 1;
  }

  /** Unless they would span too much time. */
  join(a: number, b: number, binds: boolean): void {
    const first = this.find(Math.min(a, b));
    const second = this.find(Math.max(a, b));
    const [one, other] = [this.onset[first] as Onset, this.onset[second] as Onset];
    const onset = { fromMs: Math.min(one.fromMs, other.fromMs), byMs: Math.max(one.byMs, other.byMs) };
    if (first !== second) {
      if (lengthOf(onset) > this.spanMs) return;
      const [root, leaf] = first < second ? [first, second] : [second, first];
      this.parent[leaf] = root;
      this.members[root] = [...(this.members[root] as number[]), ...(this.members[leaf] as number[])];
      this.members[leaf] = [];
      this.onset[root] = onset;
      this.isBound[root] = this.isBound[root] === true || this.isBound[leaf] === true;
    }
    if (binds) this.isBound[this.find(a)] = true;
  }

  all(): number[][] {
    return this.members.filter((members) => members.length > 0);
  }
}
