import { learnerNames } from './task-model.ts';

/** How right a classifier was where the truth became known, overall and per learner; and what follows from it. */
export interface LearnerRecord {
  records: number;
  /** Per learner: fading mean of log loss, fading share of right answers. */
  losses: number[];
  accuracies: number[];
}

export interface TrackRecordState {
  records: number;
  right: number;
  /** Outcomes of templates that were remembered, and of new ones: learners differ most between the two. */
  known: LearnerRecord;
  novel: LearnerRecord;
  /** Fading error rates of the ensemble over about 20 and 500 records. */
  errorFast: number;
  errorSlow: number;
  /** Records since the start or the last drift. */
  since: number;
  drifts: number;
  /** Confidence in tenths: records, and how many of them were right. */
  histogram: number[];
  histogramRight: number[];
  /** `[truth · 1024 + predicted, records]`, sorted: at most one entry per pair of labels. */
  confusion: [number, number][];
}

/** Loss of one answer counts at most this much, so that one surprise does not silence a learner. */
const lossMax = 5;
const driftRecordsMin = 50;

export function newTrackRecord(): TrackRecordState {
  const zeros = (n: number): number[] => new Array<number>(n).fill(0);
  const learners = learnerNames.length;
  return {
    records: 0,
    right: 0,
    known: { records: 0, losses: zeros(learners), accuracies: zeros(learners) },
    novel: { records: 0, losses: zeros(learners), accuracies: zeros(learners) },
    errorFast: 0,
    errorSlow: 0,
    since: 0,
    drifts: 0,
    histogram: zeros(10),
    histogramRight: zeros(10),
    confusion: [],
  };
}

/** `structuredClone` takes far longer, and this is done for every service in every base. */
export function copyTrackRecord(state: TrackRecordState): TrackRecordState {
  const copyOf = (of: LearnerRecord): LearnerRecord => ({
    records: of.records,
    losses: of.losses.slice(),
    accuracies: of.accuracies.slice(),
  });
  return {
    ...state,
    known: copyOf(state.known),
    novel: copyOf(state.novel),
    histogram: state.histogram.slice(),
    histogramRight: state.histogramRight.slice(),
    confusion: state.confusion.map(([cell, records]) => [cell, records]),
  };
}

/** One prediction whose truth is known. `logs`: log-probabilities of the truth per learner. */
export interface Outcome {
  /** Was the text's template remembered? */
  known: boolean;
  truth: number;
  predicted: number;
  confidence: number;
  logs: readonly number[];
  /** Per learner: was its own first choice right? */
  hits: readonly boolean[];
}

/** Counts an outcome. Returns true when the error rate has risen enough to call it drift. */
export function record(state: TrackRecordState, o: Outcome, horizonRecords: number, driftThreshold: number): boolean {
  const right = o.truth === o.predicted;
  state.records++;
  state.since++;
  if (right) state.right++;
  const of = o.known ? state.known : state.novel;
  of.records++;
  const fade = Math.max(1 / of.records, 1 / horizonRecords);
  o.logs.forEach((log, l) => {
    const hit = o.hits[l] === true ? 1 : 0;
    of.losses[l] = (of.losses[l] as number) + fade * (Math.min(lossMax, -log) - (of.losses[l] as number));
    of.accuracies[l] = (of.accuracies[l] as number) + fade * (hit - (of.accuracies[l] as number));
  });
  const bin = Math.min(9, Math.floor(o.confidence * 10));
  state.histogram[bin] = (state.histogram[bin] as number) + 1;
  if (right) state.histogramRight[bin] = (state.histogramRight[bin] as number) + 1;
  countConfusion(state.confusion, o.truth * 1024 + o.predicted);
  const error = right ? 0 : 1;
  state.errorFast += Math.max(1 / state.since, 1 / 20) * (error - state.errorFast);
  state.errorSlow += Math.max(1 / state.since, 1 / 500) * (error - state.errorSlow);
  if (state.since < driftRecordsMin || state.errorFast - state.errorSlow < driftThreshold) return false;
  state.drifts++;
  state.since = 0;
  return true;
}

function countConfusion(confusion: [number, number][], cell: number): void {
  let at = 0;
  while (at < confusion.length && (confusion[at] as [number, number])[0] < cell) at++;
  const found = confusion[at];
  if (found?.[0] === cell) found[1]++;
  else confusion.splice(at, 0, [cell, 1]);
}

/** Sum of the learners' weights when measured accuracy alone decides. */
const measuredWeightSum = 2;
/** Records after which measured weights count as much as the model's own. */
const trustRecords = 30;

/** Weights of the learners in the pool: the model's, moving to what recent loss deserves as outcomes come in. */
export function poolWeightsOf(
  of: LearnerRecord | undefined,
  modelWeights: ArrayLike<number>,
  weightRate: number,
): Float64Array {
  const weights = Float64Array.from(modelWeights);
  if (of === undefined || of.records === 0 || weightRate === 0) return weights;
  const trust = of.records / (of.records + trustRecords);
  let best = Infinity;
  for (const loss of of.losses) best = Math.min(best, loss);
  const merits = Float64Array.from(of.losses, (loss) => Math.exp((-4 * weightRate * (loss - best)) / (best + 0.2)));
  let sum = 0;
  for (const m of merits) sum += m;
  for (let l = 0; l < weights.length; l++) {
    weights[l] = (1 - trust) * (weights[l] as number) + (trust * measuredWeightSum * (merits[l] as number)) / sum;
  }
  return weights;
}
