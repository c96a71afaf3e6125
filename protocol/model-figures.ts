/** How classification fares, as sums that can be added up over services, partitions and workers. */
export interface TaskFigures {
  /** Answers whose truth became known, each given before it was learned from; and those that were right. */
  records: number;
  right: number;
  /** Times that a service's error rate rose enough to call it drift. */
  drifts: number;
  /** Error share over about the last 20 records of each service, times its records. */
  recentErrors: number;
  /** [truth, answer, records] */
  confusion: [string, string, number][];
  /** Per tenth of confidence: answers, and those that were right. */
  histogram: number[];
  histogramRight: number[];
  /** Weight in the pool and share of right answers, each times the records. */
  learners: { name: string; records: number; weight: number; right: number }[];
}

export interface ModelFigures {
  severity: TaskFigures;
  category: TaskFigures;
  /** Services that use each model: [hash, services]; '' is the built-in one. */
  models: [string, number][];
  /** New templates' share of words that the model has never met, times services; services; and drifts of it. */
  unknownWords: number;
  services: number;
  wordDrifts: number;
  /** Templates classified since the process started, by time taken: one more than `latencyBoundsMs` has. */
  latency: number[];
  latencySumMs: number;
}

/** Upper bounds of `latency`, ms. A first answer unpacks a model, and a busy machine interrupts: some take tens of ms. */
export const latencyBoundsMs: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 100];

const tenths = (): number[] => new Array<number>(10).fill(0);
const noTask = (): TaskFigures => ({
  records: 0,
  right: 0,
  drifts: 0,
  recentErrors: 0,
  confusion: [],
  histogram: tenths(),
  histogramRight: tenths(),
  learners: [],
});

export function noFigures(): ModelFigures {
  return {
    severity: noTask(),
    category: noTask(),
    models: [],
    unknownWords: 0,
    services: 0,
    wordDrifts: 0,
    latency: new Array<number>(latencyBoundsMs.length + 1).fill(0),
    latencySumMs: 0,
  };
}

export function addFigures(sum: ModelFigures, more: ModelFigures): void {
  addTask(sum.severity, more.severity);
  addTask(sum.category, more.category);
  for (const [hash, services] of more.models) addModel(sum, hash, services);
  sum.unknownWords += more.unknownWords;
  sum.services += more.services;
  sum.wordDrifts += more.wordDrifts;
  more.latency.forEach((n, i) => (sum.latency[i] = (sum.latency[i] ?? 0) + n));
  sum.latencySumMs += more.latencySumMs;
}

export function addModel(sum: ModelFigures, hash: string, services: number): void {
  const known = sum.models.find(([one]) => one === hash);
  if (known === undefined) sum.models.push([hash, services]);
  else known[1] += services;
}

function addTask(sum: TaskFigures, more: TaskFigures): void {
  sum.records += more.records;
  sum.right += more.right;
  sum.drifts += more.drifts;
  sum.recentErrors += more.recentErrors;
  for (const [truth, answer, records] of more.confusion) {
    const known = sum.confusion.find(([t, a]) => t === truth && a === answer);
    if (known === undefined) sum.confusion.push([truth, answer, records]);
    else known[2] += records;
  }
  more.histogram.forEach((n, i) => (sum.histogram[i] = (sum.histogram[i] ?? 0) + n));
  more.histogramRight.forEach((n, i) => (sum.histogramRight[i] = (sum.histogramRight[i] ?? 0) + n));
  for (const learner of more.learners) {
    const known = sum.learners.find(({ name }) => name === learner.name);
    if (known === undefined) sum.learners.push({ ...learner });
    else {
      known.records += learner.records;
      known.weight += learner.weight;
      known.right += learner.right;
    }
  }
}
