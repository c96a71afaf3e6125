import type { ClassificationConfig } from './config.ts';
import type { Features } from './features.ts';
import { LiveLinear } from './live-linear.ts';
import { LiveMemory } from './live-memory.ts';
import { modelScores, votesOf } from './memo.ts';
import { voteLogs } from './nearest-learner.ts';
import { argmax, logSoftmax, pool } from './probability.ts';
import { learnerNames, type TaskModel } from './task-model.ts';
import { copyTrackRecord, newTrackRecord, poolWeightsOf, record, type TrackRecordState } from './track-record.ts';

/** Everything that one question learned online; what a snapshot holds. */
export interface LiveTaskState {
  /** Labels beyond the model's, in the order they came. */
  labels: string[];
  /** Labels refused because `categoriesMax` was reached. */
  refused: number;
  memory: [string, number[]][];
  linear: Uint8Array;
  track: TrackRecordState;
}

interface Live {
  labels: string[];
  refused: number;
  memory: LiveMemory;
  linear: LiveLinear;
  track: TrackRecordState;
}

interface Prediction {
  known: boolean;
  logs: Float64Array[];
  pooled: Float64Array;
}

const nearest = learnerNames.indexOf('nearest');
/** Weight of the nearest learner for a remembered template before outcomes say otherwise: one correction suffices. */
const exactWeight = 2;

/** A question (severity or category) asked of the model and of what was learned on top of it. */
export class LiveTask {
  readonly #config: ClassificationConfig;
  readonly #modelOf: () => TaskModel;
  readonly #labelsMax: number;
  /** Made at the first label: most services never bring one, and a fresh classifier must cost nothing. */
  #live: Live | undefined;

  /** `model` is asked at first use: the base model is made then. */
  constructor(config: ClassificationConfig, model: () => TaskModel, labelsMax: number) {
    this.#config = config;
    this.#modelOf = model;
    this.#labelsMax = labelsMax;
  }

  get #model(): TaskModel {
    return this.#modelOf();
  }

  labelAt(index: number): string {
    const known = this.#model.labels;
    return known[index] ?? this.#live?.labels[index - known.length] ?? '';
  }

  get labels(): string[] {
    return [...this.#model.labels, ...(this.#live?.labels ?? [])];
  }

  get track(): TrackRecordState | undefined {
    return this.#live?.track;
  }

  /** Weight of each learner for a text whose template is remembered, or for a new one. */
  weights(known: boolean): Float64Array {
    const track = this.#live?.track;
    const prior = Float64Array.from(this.#model.poolWeights);
    if (known) prior[nearest] = Math.max(exactWeight, prior[nearest] as number);
    return poolWeightsOf(known ? track?.known : track?.novel, prior, this.#config.weightRate);
  }

  get size(): { templates: number; features: number; refused: number } {
    return {
      templates: this.#live?.memory.size ?? 0,
      features: this.#live?.linear.size ?? 0,
      refused: this.#live?.refused ?? 0,
    };
  }

  #predict(features: Features): Prediction {
    const model = this.#model;
    const live = this.#live;
    const k0 = model.labels.length;
    const k = k0 + (live?.labels.length ?? 0);
    const scores = modelScores(model, features);
    const linear = widen(scores.linear, k);
    live?.linear.addTo(linear, features);
    const bayes = widen(scores.bayes, k);
    const recall = live?.memory.recall(features.key, features.tokens, k);
    let votes: Float64Array;
    if (recall?.exact) votes = recall.votes;
    else {
      votes = new Float64Array(k);
      votes.set(votesOf(model, features));
      if (recall !== undefined)
        for (let c = 0; c < k; c++) votes[c] = (votes[c] as number) + (recall.votes[c] as number);
    }
    if (recall !== undefined) for (let c = 0; c < k; c++) bayes[c] = (bayes[c] as number) + (recall.odds[c] as number);
    const lexicon = widen(scores.lexicon, k);
    const logs = [logSoftmax(linear), logSoftmax(bayes), voteLogs(votes, model.priors), logSoftmax(lexicon)];
    const known = recall?.exact === true;
    return { known, logs, pooled: pool(logs, this.weights(known), model.poolBias, k) };
  }

  /** Index of the likeliest label, and its probability. */
  classify(features: Features): { label: number; confidence: number; logs: Float64Array } {
    const { pooled } = this.#predict(features);
    const label = argmax(pooled);
    return { label, confidence: label < 0 ? 0 : Math.exp(pooled[label] as number), logs: pooled };
  }

  /** Predicts, measures, then learns. Returns true when the error rate drifted. */
  learn(features: Features, name: string, corrected = false): boolean {
    const live = (this.#live ??= this.#fresh());
    const truth = this.#indexOf(live, name);
    if (truth < 0) return false;
    const { known, logs, pooled } = this.#predict(features);
    const predicted = argmax(pooled);
    const outcome = {
      known,
      truth,
      predicted,
      confidence: Math.exp(pooled[predicted] as number),
      logs: logs.map((l) => l[truth] as number),
      hits: logs.map((l) => argmax(l) === truth),
    };
    const drifted = record(live.track, outcome, this.#config.accuracyHorizonRecords, this.#config.driftThreshold);
    if (drifted) live.memory.fade();
    live.memory.learn(features.key, truth, features.tokens, corrected);
    const own = logs[0] as Float64Array;
    if (Math.exp(own[truth] as number) < settledProbability) {
      const gradient = Float64Array.from(own, (log, c) => Math.exp(log) - (c === truth ? 1 : 0));
      live.linear.learn(features, gradient);
    }
    return drifted;
  }

  #indexOf(live: Live, name: string): number {
    const known = this.#model.labels.indexOf(name);
    if (known >= 0) return known;
    const k0 = this.#model.labels.length;
    const own = live.labels.indexOf(name);
    if (own >= 0) return k0 + own;
    if (k0 + live.labels.length >= this.#labelsMax) {
      live.refused++;
      return -1;
    }
    live.labels.push(name);
    return k0 + live.labels.length - 1;
  }

  #fresh(): Live {
    return {
      labels: [],
      refused: 0,
      memory: new LiveMemory(this.#model.nearest, this.#config.memoryTemplatesMax),
      linear: new LiveLinear(this.#config.learningRate, this.#config.liveFeaturesMax),
      track: newTrackRecord(),
    };
  }

  /** Takes over what another model's task remembers of templates, labels by name. */
  adopt(from: LiveTask): void {
    const old = from.#live;
    if (old === undefined) return;
    const live = this.#fresh();
    this.#live = live;
    live.refused = old.refused;
    const indexes = from.labels.map((name) => this.#model.labels.indexOf(name));
    const entries: [string, number[]][] = [];
    for (const [key, counts] of old.memory.snapshot()) {
      const mapped: number[] = [];
      counts.forEach((count, c) => {
        if (count === 0) return;
        const known = indexes[c] ?? -1;
        const index = known >= 0 ? known : this.#indexOf(live, from.labelAt(c));
        if (index < 0) return;
        while (mapped.length <= index) mapped.push(0);
        mapped[index] = (mapped[index] as number) + count;
      });
      if (mapped.length > 0) entries.push([key, mapped]);
    }
    live.memory.restore(entries);
  }

  snapshot(): LiveTaskState | null {
    const live = this.#live;
    if (live === undefined) return null;
    return {
      labels: [...live.labels],
      refused: live.refused,
      memory: live.memory.snapshot(),
      linear: live.linear.snapshot(),
      track: copyTrackRecord(live.track),
    };
  }

  restore(state: LiveTaskState): void {
    const live = this.#fresh();
    live.labels.push(...state.labels);
    live.refused = state.refused;
    live.memory.restore(state.memory);
    live.linear.restore(state.linear);
    live.track = copyTrackRecord(state.track);
    this.#live = live;
  }
}

/** Above this the linear learner leaves its weights alone, which keeps the online state small. */
const settledProbability = 0.95;

/** A copy; labels that the model does not know start at its least likely one. */
function widen(scores: Float64Array, k: number): Float64Array {
  if (scores.length === k) return scores.slice();
  const wide = new Float64Array(k).fill(scores.length === 0 ? 0 : Math.min(...scores) - 1);
  wide.set(scores);
  return wide;
}
