import { expect, it } from 'vitest';
import { modelStatus } from '#api/mod.ts';
import { noFigures } from '#protocol/mod.ts';
import { renderLive } from './model-live.ts';

const models = { versions: [], served: [], serving: 0, change: 0, published: 0 };
const corrections = { items: [], version: 0, published: 0 };
const live = (figures: ReturnType<typeof noFigures>): string =>
  renderLive(modelStatus(models, corrections, figures, null), 1);

it('tells how a model does in all workers', () => {
  const figures = noFigures();
  Object.assign(figures, { services: 2, unknownWords: 0.5, models: [['', 2]], latencySumMs: 4 });
  figures.latency[0] = 40;
  figures.severity = {
    records: 40,
    right: 38,
    drifts: 1,
    recentErrors: 0,
    confusion: [
      ['INFO', 'INFO', 38],
      ['WARN', 'INFO', 2],
    ],
    histogram: [0, 0, 0, 0, 0, 0, 0, 0, 10, 30],
    histogramRight: [0, 0, 0, 0, 0, 0, 0, 0, 8, 30],
    learners: [{ name: 'linear', records: 40, weight: 20, right: 36 }],
  };
  expect(live(figures)).toBe(`Model 0 (built in) serves 2 services on 1 worker.
25.0 % of the words of new templates are unknown to it.
40 templates classified since the workers started: mean 0.1 ms, p99 at most 0.05 ms.

Severity: 95.0 % of 40 answers agree with what senders and people said, 100.0 % of late; 1 drift.
  learner  weight   right
  linear     0.50  90.0 %

  confidence  answers    right
  0.8–0.9          10   80.0 %
  0.9–1.0          30  100.0 %

  truth  taken for  answers
  WARN   INFO             2

Category: nothing to measure by yet (what people said).
`);
});

it('says what is not known as such, and what took longer than is counted', () => {
  const figures = noFigures();
  expect(live(figures)).toMatch(
    /^Model 0 \(built in\) serves 0 services on 1 worker\.\n– of the words .*\n0 templates .* mean –, p99 –\./,
  );
  figures.latency[figures.latency.length - 1] = 5;
  expect(live(figures)).toMatch(/p99 over 100 ms\./);
});
