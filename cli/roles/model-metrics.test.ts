import { expect, it } from 'vitest';
import { noFigures } from '#protocol/mod.ts';
import { modelMetrics } from './model-metrics.ts';

it('says nothing of what is not known, and escapes names that people chose', () => {
  const figures = noFigures();
  expect(modelMetrics(figures)).not.toContain('accuracy');
  figures.category.records = 4;
  figures.category.right = 3;
  figures.category.confusion.push(['a"b\n', 'c\\', 4]);
  figures.latency[1] = 2;
  figures.latencySumMs = 0.15;
  figures.models.push(['', 3]);
  const text = modelMetrics(figures);
  expect(text).toContain('logweir_model_accuracy_ratio{task="category"} 0.75\n');
  expect(text).toContain('logweir_model_answers{task="category",truth="a\\"b\\n",answer="c\\\\"} 4\n');
  expect(text).toContain('logweir_model_services{model="built-in"} 3\n');
  expect(text).toContain('logweir_classify_seconds_bucket{le="0.0001"} 2\n');
  expect(text).toContain('logweir_classify_seconds_sum 0.00015\n');
  for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) |[a-z_]+(\{.*\})? [\d.e+-]+$)/);
});
