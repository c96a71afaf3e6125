/**
 * Which model of all features at once: the fading Mahalanobis distance of `multivariate`, half-space trees (Tan, Ting and
 * Liu, IJCAI 2011), or the sum of both? Made-up services of seven features, odd for four windows now and then; the share of
 * those found at one false alarm in 3,000 windows, about one a day. Run: node loadtest/bench/mixes.bench.ts
 */
const width = 7;
const worlds = ['one cloud', 'two modes', 'daily', 'heavy tails'] as const;
const kinds = ['broken correlation', 'between', 'far in three'] as const;
type World = (typeof worlds)[number];
type Kind = (typeof kinds)[number];

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Trees over the unit cube, halved at random features; the mass of a node is what the last stretch left there. */
class HalfSpaceTrees {
  private readonly count: number;
  private readonly depth: number;
  private readonly stretch: number;
  private readonly nodes: number;
  private readonly features: Int8Array;
  private readonly splits: Float64Array;
  private readonly mass: Float64Array;
  private readonly next: Float64Array;
  private seen = 0;

  constructor(count: number, depth: number, stretch: number) {
    this.count = count;
    this.depth = depth;
    this.stretch = stretch;
    this.nodes = 2 ** (depth + 1) - 1;
    this.features = new Int8Array(count * this.nodes);
    this.splits = new Float64Array(count * this.nodes);
    this.mass = new Float64Array(count * this.nodes);
    this.next = new Float64Array(count * this.nodes);
    const random = randomOf(count);
    for (let tree = 0; tree < count; tree++) {
      const ranges = Array.from({ length: width }, (): [number, number] => {
        const middle = random();
        const reach = 2 * Math.max(middle, 1 - middle);
        return [middle - reach, middle + reach];
      });
      this.build(tree * this.nodes, 0, ranges, 0, random);
    }
  }

  private build(base: number, at: number, ranges: [number, number][], level: number, random: () => number): void {
    if (level === this.depth) return;
    const feature = Math.floor(random() * width);
    const [low, high] = ranges[feature] as [number, number];
    const split = (low + high) / 2;
    this.features[base + at] = feature;
    this.splits[base + at] = split;
    this.build(base, 2 * at + 1, ranges.with(feature, [low, split]), level + 1, random);
    this.build(base, 2 * at + 2, ranges.with(feature, [split, high]), level + 1, random);
  }

  /** Higher where there is less mass. */
  score(point: readonly number[]): number {
    let sum = 0;
    for (let tree = 0; tree < this.count; tree++) {
      const base = tree * this.nodes;
      let at = 0;
      for (let level = 0; ; level++) {
        const mass = this.mass[base + at] as number;
        if (level === this.depth || mass <= 0.1 * this.stretch) {
          sum += mass * 2 ** level;
          break;
        }
        at = this.child(base, at, point);
      }
    }
    return -Math.log(sum / (this.count * this.stretch) + 1e-6);
  }

  learn(point: readonly number[]): void {
    for (let tree = 0; tree < this.count; tree++) {
      const base = tree * this.nodes;
      for (let level = 0, at = 0; level <= this.depth; level++) {
        this.next[base + at]!++;
        if (level < this.depth) at = this.child(base, at, point);
      }
    }
    if (++this.seen % this.stretch !== 0) return;
    this.mass.set(this.next);
    this.next.fill(0);
  }

  private child(base: number, at: number, point: readonly number[]): number {
    return (
      2 * at + ((point[this.features[base + at] as number] as number) < (this.splits[base + at] as number) ? 1 : 2)
    );
  }
}

/** As in `multivariate.ts`, with one floor for all features. */
class Mahalanobis {
  private learned = 0;
  private readonly mean = new Float64Array(width);
  private readonly covariance = new Float64Array(width * width);

  distance(point: readonly number[]): number {
    const lower = new Float64Array(width * width);
    let sum = 0;
    const solved = point.map((value, i) => value - (this.mean[i] as number));
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) {
        let left = (this.covariance[i * width + j] as number) + (i === j ? 0.02 : 0);
        for (let k = 0; k < j; k++) left -= (lower[i * width + k] as number) * (lower[j * width + k] as number);
        lower[i * width + j] = i === j ? Math.sqrt(Math.max(left, 1e-9)) : left / (lower[j * width + j] as number);
      }
      for (let k = 0; k < i; k++) solved[i]! -= (lower[i * width + k] as number) * (solved[k] as number);
      solved[i]! /= lower[i * width + i] as number;
      sum += (solved[i] as number) ** 2;
    }
    return sum;
  }

  learn(point: readonly number[], distance: number): void {
    const rate = 1 / Math.min(++this.learned, 120);
    const shrink = this.learned > 10 && distance > 24 ? Math.sqrt(24 / distance) : 1;
    const difference = point.map((value, i) => shrink * (value - (this.mean[i] as number)));
    for (let i = 0; i < width; i++) this.mean[i]! += rate * (difference[i] as number);
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) {
        const product = (difference[i] as number) * (difference[j] as number);
        this.covariance[i * width + j] = (1 - rate) * ((this.covariance[i * width + j] as number) + rate * product);
      }
  }
}

/** Windows of a service. Features follow three hidden causes, in one mode or two, by the hour, or with heavy tails. */
function* windowsOf(world: World, seed: number, count: number): Generator<{ point: number[]; odd: Kind | null }> {
  const random = randomOf(seed);
  const causes = Array.from({ length: width }, () => [normal(random), normal(random), normal(random)]);
  const mode = causes.map(() => 4 * normal(random));
  let left = 0;
  let pause = 300 + Math.floor(200 * random());
  let kind: Kind = 'between';
  let direction = mode;
  for (let at = 0; at < count; at++) {
    const hidden = [normal(random), normal(random), normal(random)];
    const tail = world === 'heavy tails' ? (random() < 0.02 ? 3 : 1) / Math.sqrt(0.25 + random()) : 1;
    const isOther = world === 'two modes' && at % 40 < 8;
    const daily = world === 'daily' ? 0.5 * Math.sin((2 * Math.PI * at) / 2880) : 0;
    const usual = causes.map((row, i) => {
      const sum = row.reduce((total, weight, k) => total + weight * (hidden[k] as number), 0);
      return 0.5 * tail * sum + 0.25 * normal(random) + (mode[i] as number) * (daily + (isOther ? 1 : 0));
    });
    if (left === 0 && --pause === 0) {
      left = 4;
      pause = 150 + Math.floor(200 * random());
      kind = kinds[Math.floor(kinds.length * random())] as Kind;
      direction = causes.map(() => normal(random));
    }
    if (left === 0) {
      yield { point: usual, odd: null };
      continue;
    }
    left--;
    const point = usual.map((value, i) => {
      const towards = direction[i] as number;
      if (kind === 'broken correlation')
        return 0.9 * towards * Math.hypot(...(causes[i] as number[])) + 0.25 * normal(random);
      if (kind === 'far in three') return i % 2 === 0 ? value + 5 * Math.sign(towards) : value;
      return value + (isOther ? -0.5 : 0.5) * (world === 'two modes' ? (mode[i] as number) : 3 * towards);
    });
    yield { point, odd: kind };
  }
}

const models = ['mahalanobis', '25 trees of 8', '50 trees of 10', 'distance + trees'];
for (const world of worlds) {
  const usual: number[][] = models.map(() => []);
  /** By kind and model: the highest score of each odd stretch. */
  const odd = new Map<Kind, number[][]>();
  for (let seed = 1; seed <= 6; seed++) {
    const distance = new Mahalanobis();
    const trees = [new HalfSpaceTrees(25, 8, 120), new HalfSpaceTrees(50, 10, 250)];
    const mean = new Float64Array(width);
    const variance = new Float64Array(width).fill(1);
    let learned = 0;
    let inside = 0;
    for (const { point, odd: kind } of windowsOf(world, seed, 6000)) {
      // Trees need a known range: four deviations either side of the running mean.
      const cube = point.map((value, i) => {
        const z = (value - (mean[i] as number)) / Math.sqrt(variance[i] as number);
        return 0.5 + Math.max(-4, Math.min(4, z)) / 8;
      });
      const far = distance.distance(point);
      const scores = [far, ...trees.map((one) => one.score(cube))];
      scores.push(Math.log1p(far) + (scores[1] as number));
      distance.learn(point, far);
      for (const one of trees) one.learn(cube);
      const rate = 1 / Math.min(++learned, 500);
      for (let i = 0; i < width; i++) {
        const reach = 4 * Math.sqrt(variance[i] as number);
        const difference = Math.max(-reach, Math.min(reach, (point[i] as number) - (mean[i] as number)));
        mean[i]! += rate * difference;
        variance[i]! += rate * (difference * difference - (variance[i] as number));
      }
      if (learned < 260) continue;
      inside = kind === null ? 0 : inside + 1;
      if (kind === null) for (const [i, score] of scores.entries()) (usual[i] as number[]).push(score);
      else {
        const lists = odd.get(kind) ?? models.map((): number[] => []);
        odd.set(kind, lists);
        for (const [i, score] of scores.entries()) {
          const list = lists[i] as number[];
          if (inside === 1) list.push(score);
          else list.push(Math.max(score, list.pop() as number));
        }
      }
    }
  }
  for (const [i, model] of models.entries()) {
    const sorted = (usual[i] as number[]).sort((a, b) => b - a);
    const limit = sorted[Math.floor(sorted.length / 3000)] as number;
    const shares = kinds.map((kind) => {
      const list = odd.get(kind)?.[i] ?? [];
      return `${kind} ${(list.filter((score) => score > limit).length / list.length).toFixed(2)}`;
    });
    console.log(`${world.padEnd(12)} ${model.padEnd(17)} ${shares.join('  ')}`);
  }
}
