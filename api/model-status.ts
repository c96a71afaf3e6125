/** How classification fares, as the API tells it: the sums of all workers, and what serves. Pure. */
import {
  type Corrections,
  correctionsMax,
  latencyBoundsMs,
  type ModelFigures,
  type Models,
  type TaskFigures,
  type Training,
} from '#protocol/mod.ts';
import type { ModelStatus, TaskStatus } from './types.ts';

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

function taskStatus(figures: TaskFigures): TaskStatus {
  const { records, right, drifts, recentErrors, histogram, histogramRight } = figures;
  return {
    records,
    accuracy: share(right, records),
    recentAccuracy: share(records - recentErrors, records),
    drifts,
    confusion: figures.confusion
      .map(([truth, answer, count]) => ({ truth, answer, records: count }))
      .sort((a, b) => b.records - a.records || (a.truth + a.answer < b.truth + b.answer ? -1 : 1)),
    confidence: histogram.map((count, tenth) => ({
      from: tenth / 10,
      records: count,
      right: histogramRight[tenth] ?? 0,
    })),
    learners: figures.learners.map((learner) => ({
      name: learner.name,
      weight: share(learner.weight, learner.records) ?? 0,
      accuracy: share(learner.right, learner.records) ?? 0,
    })),
  };
}

/** Bound that at least `part` of the classifications kept, ms; null where none is known to. */
function quantileMs(latency: readonly number[], part: number): number | null {
  const all = latency.reduce((sum, n) => sum + n, 0);
  let sum = 0;
  for (const [i, bound] of latencyBoundsMs.entries()) {
    sum += latency[i] ?? 0;
    if (all > 0 && sum >= all * part) return bound;
  }
  return null;
}

export function modelStatus(
  models: Models,
  corrections: Corrections,
  figures: ModelFigures,
  training: Training | null,
): ModelStatus {
  const templates = figures.latency.reduce((sum, n) => sum + n, 0);
  const hash = models.versions.find(({ version }) => version === models.serving)?.hash ?? '';
  return {
    serving: models.serving,
    settled: models.published >= models.change && figures.models.every(([one]) => one === hash),
    corrections: corrections.items.length,
    correctionsMax,
    versions: [...models.versions]
      .reverse()
      .map(({ version, atMs, by, hash: one, bytes, scores, category, champion }) => ({
        version,
        atMs,
        by,
        hash: one,
        bytes,
        accuracy: scores.accuracy,
        macroF1: scores.macroF1,
        category: category === undefined ? null : { accuracy: category.accuracy, macroF1: category.macroF1 },
        before: {
          version: champion.version,
          accuracy: champion.scores.accuracy,
          macroF1: champion.scores.macroF1,
          category:
            champion.category === undefined
              ? null
              : { accuracy: champion.category.accuracy, macroF1: champion.category.macroF1 },
        },
      })),
    training: {
      asked: training !== null && training.requested !== null,
      running: training?.runs.at(-1)?.endedMs === null,
      runs: [...(training?.runs ?? [])].reverse(),
    },
    severity: taskStatus(figures.severity),
    category: taskStatus(figures.category),
    services: figures.services,
    unknownWords: share(figures.unknownWords, figures.services),
    wordDrifts: figures.wordDrifts,
    latency: { templates, meanMs: share(figures.latencySumMs, templates), p99Ms: quantileMs(figures.latency, 0.99) },
  };
}
