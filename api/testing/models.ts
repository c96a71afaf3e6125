/** Models and corrections for the tests here and the page's: one model that serves, some figures, corrections in memory. */
import {
  type Correction,
  type Corrections,
  type Models,
  rolledBack,
  type Training,
  noCorrections,
  noFigures,
  withCorrection,
  withoutCorrection,
  withUndone,
} from '#protocol/mod.ts';
import { modelStatus } from '../model-status.ts';
import type { ModelDesk } from '../ports.ts';

const severities = ['DEBUG', 'INFO', 'WARN', 'ERROR'];

function figures() {
  const sums = noFigures();
  const confusion: [string, string, number][] = [
    ['DEBUG', 'DEBUG', 310],
    ['INFO', 'INFO', 4120],
    ['INFO', 'WARN', 31],
    ['WARN', 'WARN', 402],
    ['WARN', 'INFO', 18],
    ['ERROR', 'ERROR', 288],
    ['ERROR', 'WARN', 9],
  ];
  const records = confusion.reduce((sum, [, , n]) => sum + n, 0);
  Object.assign(sums.severity, {
    records,
    right: confusion.reduce((sum, [truth, answer, n]) => sum + (truth === answer ? n : 0), 0),
    drifts: 1,
    recentErrors: records * 0.02,
    confusion,
    histogram: [0, 0, 4, 12, 30, 61, 122, 303, 870, 3776],
    histogramRight: [0, 0, 1, 6, 19, 44, 103, 282, 852, 3771],
    learners: ['linear', 'bayes', 'nearest', 'lexicon'].map((name, i) => ({
      name,
      records: 100,
      weight: [62, 31, 84, 23][i] as number,
      right: [95, 91, 98, 84][i] as number,
    })),
  });
  sums.models.push(['c4'.repeat(32), 6]);
  sums.services = 6;
  sums.unknownWords = 0.6;
  sums.latency = [120, 210, 40, 6, 1, 0, 0, 0];
  sums.latencySumMs = 31;
  return sums;
}

const scores = { records: 5178, macroF1: 0.93, calibrationError: 0.02, labels: severities, confusion: [] };

export function fakeModels(nowMs: number): ModelDesk {
  let corrections: Corrections = noCorrections;
  let training: Training = {
    sinceMs: nowMs - 90_000_000,
    requested: null,
    drifts: 1,
    runs: [
      {
        trigger: 'drift',
        by: 'leader',
        startedMs: nowMs - 3_604_000,
        endedMs: nowMs - 3_600_000,
        outcome: 'published',
        version: 1,
        detail: 'severity 0.981 against 0.842 of model 0',
      },
    ],
  };
  let models: Models = {
    change: 1,
    published: 1,
    serving: 1,
    served: [0],
    versions: [
      {
        version: 1,
        hash: 'c4'.repeat(32),
        bytes: 2_700_000,
        atMs: nowMs - 3_600_000,
        by: 'ana@desk',
        trainedTemplates: 214,
        corrections: 2,
        trained: { fromMs: nowMs - 86_400_000, toMs: nowMs - 20_000_000 },
        scored: { fromMs: nowMs - 20_000_000, toMs: nowMs - 3_600_000 },
        scores: { ...scores, accuracy: 0.981 },
        champion: { version: 0, scores: { ...scores, accuracy: 0.842, macroF1: 0.61 } },
        forced: false,
      },
    ],
  };
  return {
    status: async () => modelStatus(models, corrections, figures(), training),
    corrections: async () => ({ items: corrections.items, settled: true }),
    correct: async (asked) => {
      const id = Buffer.from(`${asked.service} ${asked.text}`).toString('hex').slice(0, 16);
      corrections = withCorrection(corrections, { ...asked, id });
      return corrections.items.find((item) => item.id === id) as Correction;
    },
    uncorrect: async (id, doer) => {
      const after = withoutCorrection(corrections, id, doer);
      corrections = after ?? corrections;
      return after !== null;
    },
    undo: async (id, doer) => {
      const after = withUndone(corrections, id, corrections.acts ?? [], doer);
      corrections = after ?? corrections;
      return after !== null;
    },
    history: async (id) =>
      (corrections.acts ?? []).filter(({ correction }) => id === undefined || correction.id === id).toReversed(),
    train: async (force) => {
      training = { ...training, requested: { by: 'api', atMs: nowMs, force } };
    },
    rollBack: async (version) => {
      models = rolledBack(models, version);
      return models.serving;
    },
  };
}
