/**
 * A made-up world of keyed sequences: raw lines and the truth about every key, from a seed. Words, key format, flows,
 * shares and pace are drawn anew for each seed. Flows have branches, optional steps, loops, retries and steps that run
 * side by side; half-way a deploy changes them. Faults are injected into a few keys.
 */
export const faultKinds = [
  'missing step',
  'truncated',
  'duplicated step',
  'error step',
  'wrong order',
  'hang',
  'extra loops',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface SequenceWorld {
  lines: string[];
  /** Finds the keys in the lines. */
  key: string;
  /** In order of the keys' first lines; undefined: normal. */
  truth: Map<string, FaultKind | undefined>;
  /** Keys of the rarest normal variant. */
  rare: Set<string>;
}

export interface WorldOptions {
  keys: number;
  /** Share of keys with a fault. Default 0.03. */
  faultShare?: number;
  /** Share of the rarest normal variant. Default 0.04. */
  rareShare?: number;
  /** Share of the keys that start before the deploy. Default 0.5. */
  deployAt?: number;
}

type Node =
  | { is: 'step'; words: string[]; medianMs: number; must: boolean }
  | { is: 'all'; nodes: Node[] }
  | { is: 'maybe'; share: number; node: Node }
  | { is: 'either'; share: number; first: Node; second: Node }
  | { is: 'loop'; max: number; node: Node }
  | { is: 'aside'; nodes: Node[] };
type Step = Extract<Node, { is: 'step' }>;

interface Event {
  step: Step;
  atMs: number;
  /** Index of the loop pass, or -1: the steps that faults can be done to are outside of loops and side branches. */
  inLoop: boolean;
  aside: boolean;
}

const syllables = 'ba ce di fo gu ka le mi no pu ra se ti vo xu za bre cla dro fli gre pla sta tro'.split(' ');

class World {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0;
  }
  /** 0 ≤ x < 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
  word(): string {
    return Array.from({ length: 2 + this.below(3) }, () => this.of(syllables)).join('');
  }
  step(must = true): Step {
    const words = Array.from({ length: 3 + this.below(4) }, () => this.word());
    words.splice(1 + this.below(words.length), 0, '{key}');
    for (let i = this.below(3); i > 0; i--)
      words.splice(1 + this.below(words.length), 0, this.of(['{n}', '{ip}', '{ms}']));
    return { is: 'step', words, medianMs: 2 * 10 ** (2.5 * this.next()), must };
  }
  steps(n: number): Node[] {
    return Array.from({ length: n }, () => this.step());
  }
  flow(): Node[] {
    return [
      ...this.steps(2 + this.below(2)),
      { is: 'maybe', share: 0.1 + 0.8 * this.next(), node: this.step(false) },
      ...this.steps(1 + this.below(2)),
      {
        is: 'either',
        share: 0.2 + 0.6 * this.next(),
        first: { is: 'all', nodes: this.steps(2) },
        second: { is: 'all', nodes: this.steps(1 + this.below(2)) },
      },
      { is: 'aside', nodes: [{ is: 'all', nodes: this.steps(2) }, this.step(), this.step()] },
      { is: 'loop', max: 2 + this.below(4), node: { is: 'all', nodes: this.steps(1 + this.below(2)) } },
      { is: 'maybe', share: 0.05 + 0.1 * this.next(), node: { is: 'all', nodes: this.steps(2) } },
      ...this.steps(1 + this.below(3)),
    ];
  }
}

function run(
  world: World,
  nodes: readonly Node[],
  fromMs: number,
  events: Event[],
  inLoop = false,
  aside = false,
): number {
  let atMs = fromMs;
  for (const node of nodes) {
    switch (node.is) {
      case 'step':
        atMs += 1 + node.medianMs * Math.exp(0.5 * world.normal());
        events.push({ step: node, atMs, inLoop, aside });
        break;
      case 'all':
        atMs = run(world, node.nodes, atMs, events, inLoop, aside);
        break;
      case 'maybe':
        if (world.next() < node.share) atMs = run(world, [node.node], atMs, events, inLoop, aside);
        break;
      case 'either':
        atMs = run(world, [world.next() < node.share ? node.first : node.second], atMs, events, inLoop, aside);
        break;
      case 'loop':
        for (let i = world.below(node.max + 1); i > 0; i--) atMs = run(world, [node.node], atMs, events, true, aside);
        break;
      case 'aside':
        atMs = Math.max(...node.nodes.map((side) => run(world, [side], atMs, events, inLoop, true)));
        break;
    }
  }
  return atMs;
}

/** Does a fault to the events of one key; false where they offer no place for it. */
function breakIt(world: World, kind: FaultKind, events: Event[], errors: readonly Step[]): boolean {
  const plain = events.flatMap((e, i) => (e.step.must && !e.inLoop && !e.aside ? [i] : []));
  const later = (from: number, byMs: number): void => {
    for (const event of events.slice(from)) event.atMs += byMs;
  };
  switch (kind) {
    case 'missing step':
      events.splice(world.of(plain), 1);
      return true;
    case 'truncated':
      events.length = 1 + world.below(Math.max(1, events.length - 3));
      return true;
    case 'duplicated step': {
      const at = world.of(plain);
      events.splice(at + 1, 0, { ...(events[at] as Event) });
      later(at + 1, 1 + world.below(20));
      return true;
    }
    case 'error step': {
      const at = 1 + world.below(events.length);
      events.splice(at, 0, { ...(events[at - 1] as Event), step: world.of(errors) });
      later(at, 1);
      return true;
    }
    case 'wrong order': {
      const at = plain.filter((i) => plain.includes(i + 1) && i > 0);
      if (at.length === 0) return false;
      const i = world.of(at);
      const [a, b] = [events[i] as Event, events[i + 1] as Event];
      [a.step, b.step] = [b.step, a.step];
      return true;
    }
    case 'hang': {
      const at = plain.filter((i) => i > 0);
      const i = world.of(at);
      later(i, (events[i] as Event).step.medianMs * (60 + world.below(200)) + 5000);
      return true;
    }
    case 'extra loops': {
      const from = events.findIndex((e) => e.inLoop);
      if (from < 0) return false;
      const passes = 30 + world.below(30);
      const event = events[from] as Event;
      const body = events.filter((e) => e.inLoop && e.step === event.step)[0] as Event;
      const extra = Array.from({ length: passes }, (_, i) => ({
        ...body,
        atMs: body.atMs + (i + 1) * body.step.medianMs,
      }));
      events.splice(from + 1, 0, ...extra);
      later(from + 1 + passes, (passes + 1) * body.step.medianMs);
      return true;
    }
  }
}

const keyFormats: readonly [pattern: string, make: (world: World) => string][] = [
  ['blk_-?\\d+', (w) => `blk_${w.next() < 0.5 ? '-' : ''}${w.below(1e9)}${w.below(1e9)}`],
  ['req-[0-9a-z]+', (w) => `req-${w.below(2 ** 31).toString(36)}${w.below(2 ** 31).toString(36)}`],
  ['trace=([0-9a-f]{16})', (w) => `trace=${hex(w)}${hex(w)}`],
  ['order:([a-z]+)', (w) => `order:${w.word()}${w.word()}${w.word()}${w.word()}`],
];
const hex = (world: World): string =>
  world
    .below(2 ** 32)
    .toString(16)
    .padStart(8, '0');

export function sequenceWorld(seed: number, options: WorldOptions): SequenceWorld {
  const world = new World(seed);
  const { keys, faultShare = 0.03, rareShare = 0.04, deployAt = 0.5 } = options;
  const [key, makeKey] = keyFormats[seed % keyFormats.length] as (typeof keyFormats)[number];
  const pattern = new RegExp(key);
  const before = [world.flow(), world.flow(), world.flow()];
  const after = before.map((nodes) => {
    const flow = [...nodes];
    flow.splice(1 + world.below(flow.length - 1), 0, world.step());
    const replaced = flow.findIndex((node, i) => i > 0 && node.is === 'step');
    flow[replaced] = world.step();
    return flow;
  });
  const weights = [0.5, 0.5 - rareShare, rareShare];
  const errors = Array.from({ length: 6 }, () => world.step(false));
  const noise = Array.from({ length: 4 }, () => world.step(false));
  const lines: { atMs: number; text: string }[] = [];
  const begun: { atMs: number; key: string; fault: FaultKind | undefined; isRare: boolean }[] = [];
  const everyMs = 20 + world.below(300);
  let startMs = Date.UTC(2021, world.below(12), 1 + world.below(27), world.below(24));
  const say = (step: Step, id: string, atMs: number): void => {
    const words = step.words.map((word) => {
      if (word === '{key}') return id;
      if (word === '{n}') return String(world.below(10_000));
      if (word === '{ip}') return `10.${world.below(256)}.${world.below(256)}.${world.below(256)}`;
      return word === '{ms}' ? `${world.below(900)}ms` : word;
    });
    const stamp = new Date(Math.floor(atMs)).toISOString();
    lines.push({ atMs, text: `${stamp} INFO ${words.join(' ').trim()}` });
  };
  for (let i = 0; i < keys; i++) {
    startMs += -Math.log(1 - world.next()) * everyMs;
    const draw = world.next();
    const which = draw < (weights[0] as number) ? 0 : draw < 1 - rareShare ? 1 : 2;
    const flow = (i < keys * deployAt ? before : after)[which] as Node[];
    const events: Event[] = [];
    run(world, flow, startMs, events);
    events.sort((x, y) => x.atMs - y.atMs);
    let fault: FaultKind | undefined;
    if (world.next() < faultShare) {
      const kind = world.of(faultKinds);
      if (breakIt(world, kind, events, errors)) fault = kind;
    }
    const id = makeKey(world);
    for (const { step, atMs } of events) say(step, id, atMs);
    const name = pattern.exec(id);
    begun.push({
      atMs: (events[0] as Event).atMs,
      key: name?.[1] ?? name?.[0] ?? id,
      fault,
      isRare: which === 2,
    });
    if (world.next() < 0.2) say(world.of(noise), 'nobody', startMs);
  }
  lines.sort((x, y) => x.atMs - y.atMs);
  begun.sort((x, y) => x.atMs - y.atMs);
  return {
    lines: lines.map(({ text }) => text),
    key,
    truth: new Map(begun.map((b) => [b.key, b.fault])),
    rare: new Set(begun.flatMap((b) => (b.isRare ? [b.key] : []))),
  };
}
