/** What a worker knows of classification in all its partitions: the models they use, and how they fare. */
import { latencyBoundsMs, type ModelFigures, noFigures } from '#protocol/mod.ts';
import type { ClassifyMeter } from './actor.ts';
import { ModelShelf, type ModelShelfOptions } from './models.ts';

/** Summing up a thousand services takes some ms. */
const figuresEveryMs = 5_000;

interface HasFigures {
  addTo(figures: ModelFigures): void;
}

export class WorkerModel {
  readonly shell: { models: ModelShelf; meter: ClassifyMeter };
  private readonly latency: number[] = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  private latencySumMs = 0;
  private summed: { atMs: number; figures: ModelFigures } | null = null;

  constructor(options: ModelShelfOptions & { stopwatchMs?: (() => number) | undefined }) {
    this.shell = {
      models: new ModelShelf(options),
      meter: { now: options.stopwatchMs ?? ((): number => 0), took: (ms) => this.took(ms) },
    };
  }

  private took(ms: number): void {
    const bucket = latencyBoundsMs.findIndex((bound) => ms <= bound);
    const index = bucket < 0 ? latencyBoundsMs.length : bucket;
    this.latency[index] = (this.latency[index] as number) + 1;
    this.latencySumMs += ms;
  }

  /** Some seconds old at most. */
  figures(nowMs: number, parts: () => Iterable<HasFigures>): ModelFigures {
    if (this.summed === null || nowMs - this.summed.atMs >= figuresEveryMs || nowMs < this.summed.atMs) {
      const figures = noFigures();
      for (const part of parts()) part.addTo(figures);
      this.summed = { atMs: nowMs, figures };
    }
    return { ...this.summed.figures, latency: this.latency, latencySumMs: this.latencySumMs };
  }
}
