/**
 * Which findings belong together: a pure function of a set of findings and of what was learned before them. A service's
 * own findings are grouped first, into episodes. Episodes of different services are then joined, by evidence first;
 * nearness alone joins only what evidence has not bound to something else, so that two incidents of the same
 * moment stay apart. Weak episodes join at the end and nothing joins by them.
 */
import { united } from './clues.ts';
import { ModelAt } from './model.ts';
import type { Clues, Finding, IncidentConfig, Model, Onset } from './types.ts';

/** Bans from which two episodes are one incident. */
export const joinFrom = 2;
/** Chance from which nearness alone does not join, with a thousandth left for rounding. */
const joinChance = 10 ** -joinFrom * 1.001;
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
  const isStrong = (at: number): boolean => (episodes[at] as Episode).strong;
  const [bound, near, weak]: [Edge[], Edge[], Edge[]] = [[], [], []];
  for (const edge of edgesOf(episodes, model, config)) {
    if (!(isStrong(edge.a) && isStrong(edge.b))) weak.push(edge);
    else {
      if (edge.evidence >= bindsFrom) bound.push(edge);
      near.push(edge);
    }
  }
  inOrder(
    bound,
    ({ a, b }) => !sets.bindsNothing(a, b),
    ({ a, b }) => sets.join(a, b, true),
  );
  const mayJoin = ({ a, b }: Edge): boolean => !sets.together(a, b) && !(sets.bound(a) && sets.bound(b));
  inOrder(near, mayJoin, ({ a, b }) => {
    if (mayJoin({ a, b, strength: 0, evidence: 0 })) sets.join(a, b, false);
  });
  const mayFollow = ({ a, b }: Edge): boolean => sets.alone(isStrong(a) ? b : a);
  inOrder(weak, mayFollow, ({ a, b }) => {
    const [one, other] = isStrong(a) ? [a, b] : [b, a];
    if (sets.alone(other)) sets.join(one, other, false);
  });
  return sets.all().map((members) => members.flatMap((at) => (episodes[at] as Episode).findings).sort(byOnset));
}

const strongestFirst = (x: Edge, y: Edge): number => y.strength - x.strength || x.b - y.b || x.a - y.a;
/** Fewer are sorted as they are. */
const sortedAtOnce = 256;

/**
 * Takes edges strongest first, and sorts hardly more than those that change anything: halves are told apart by a
 * pivot, and once the stronger half was taken, most of the weaker one joins nothing any more. In a storm every service
 * sets in near every other, which is 45,000 edges for 299 joins.
 */
function inOrder(edges: Edge[], matters: (edge: Edge) => boolean, take: (edge: Edge) => void): void {
  if (edges.length <= sortedAtOnce) {
    for (const edge of edges.sort(strongestFirst)) take(edge);
    return;
  }
  const [first, middle, last] = [edges[0], edges[edges.length >> 1], edges.at(-1)] as [Edge, Edge, Edge];
  const pivot = [first, middle, last].sort(strongestFirst)[1] as Edge;
  const stronger: Edge[] = [];
  const rest: Edge[] = [];
  for (const edge of edges) (strongestFirst(edge, pivot) <= 0 ? stronger : rest).push(edge);
  inOrder(stronger, matters, take);
  inOrder(rest.filter(matters), matters, take);
}

/** Those strong enough to join; at least one end is strong. */
function edgesOf(episodes: readonly Episode[], model: Model, config: IncidentConfig): Edge[] {
  const looked = episodes.slice(0, episodesMax);
  const evidence = new Evidence(looked);
  const known = new ModelAt(
    model,
    looked.map(({ service }) => service),
  );
  const edges: Edge[] = [];
  for (const [b, later] of looked.entries()) {
    known.moveTo(later.onset.byMs);
    const lengthMs = lengthOf(later.onset);
    evidence.about(b);
    for (let a = 0; a < b; a++) {
      const earlier = looked[a] as Episode;
      if (earlier.service === later.service || !(earlier.strong || later.strong)) continue;
      const gapMs = gapBetween(earlier.onset, later.onset);
      if (gapMs > config.gapMs) continue;
      const withinMs = gapMs + slackMs + (lengthOf(earlier.onset) + lengthMs) / 2;
      const shared = evidence.of(a);
      const moved = known.coMovement(a, b);
      const enough = moved === 0 && shared === 0 ? joinChance : 1;
      const strength = known.closeness(a, b, withinMs, enough) + moved + shared;
      if (strength >= joinFrom) edges.push({ a, b, strength, evidence: shared });
    }
  }
  return edges;
}

const lengthOf = ({ fromMs, byMs }: Onset): number => byMs - fromMs;

/** What episodes share with one of them, found by what that one names instead of pair by pair. */
class Evidence {
  private readonly episodes: readonly Episode[];
  /** Earlier episodes that name an id, host, text or service. */
  private readonly ids = new Map<string, number[]>();
  private readonly hosts = new Map<string, number[]>();
  private readonly texts = new Map<string, number[]>();
  private readonly words = new Map<string, number[]>();
  private readonly services = new Map<string, number[]>();
  private readonly holders: ReadonlyMap<string, number>;
  private readonly shared: Float64Array[];

  constructor(episodes: readonly Episode[]) {
    this.episodes = episodes;
    this.holders = holdersOf(episodes);
    // By kind: ids, mentions, hosts, texts.
    this.shared = [0, 1, 2, 3].map(() => new Float64Array(episodes.length));
  }

  /** Asks about an episode from here on; asked of one after the other. */
  about(at: number): void {
    const { clues, service } = this.episodes[at] as Episode;
    const [ids, mentions, hosts, texts] = this.shared as [Float64Array, Float64Array, Float64Array, Float64Array];
    for (const kind of this.shared) kind.fill(0);
    const name = service.toLowerCase();
    const mark = (index: Map<string, number[]>, names: readonly string[], into: Float64Array, most: number): void => {
      for (const one of names) {
        const others = index.get(one);
        if (others === undefined) continue;
        const weight = into === hosts || into === texts ? most * this.shareOf(one) : most;
        for (const other of others) if (weight > (into[other] as number)) into[other] = weight;
      }
    };
    mark(this.ids, clues.ids, ids, bans.id);
    mark(this.hosts, clues.hosts, hosts, bans.host);
    mark(this.texts, clues.texts, texts, bans.text);
    mark(this.words, [name], mentions, bans.mention);
    mark(this.services, clues.words, mentions, bans.mention);
    for (const one of clues.ids) put(this.ids, one, at);
    for (const one of clues.hosts) put(this.hosts, one, at);
    for (const one of clues.texts) put(this.texts, one, at);
    for (const one of clues.words) put(this.words, one, at);
    put(this.services, name, at);
  }

  /** Bans for an earlier one belonging to the one asked about. */
  of(earlier: number): number {
    const [ids, mentions, hosts, texts] = this.shared as [Float64Array, Float64Array, Float64Array, Float64Array];
    const sum =
      (ids[earlier] as number) +
      (mentions[earlier] as number) +
      (hosts[earlier] as number) +
      (texts[earlier] as number);
    return Math.min(bans.max, sum);
  }

  private shareOf(name: string): number {
    return Math.min(1, ordinary / (this.holders.get(name) ?? 1));
  }
}

function put(index: Map<string, number[]>, name: string, at: number): void {
  const known = index.get(name);
  if (known === undefined) index.set(name, [at]);
  else known.push(at);
}

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

  together(a: number, b: number): boolean {
    return this.find(a) === this.find(b);
  }

  /** Whether binding the two would change nothing. */
  bindsNothing(a: number, b: number): boolean {
    return this.together(a, b) && this.bound(a);
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
      for (const member of this.members[leaf] as number[]) (this.members[root] as number[]).push(member);
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
