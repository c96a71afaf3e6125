/** How classification fares in a worker's partitions, as Prometheus text. Partitions come and go, so sums are gauges. */
import { latencyBoundsMs, type ModelFigures, type TaskFigures } from '#protocol/mod.ts';

const label = (value: string): string => value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

export function modelMetrics(figures: ModelFigures): string {
  const lines: string[] = [];
  const family = (name: string, about: string, type: string, samples: [string, number][]): void => {
    if (samples.length === 0) return;
    lines.push(`# HELP logweir_${name} ${about}`, `# TYPE logweir_${name} ${type}`);
    for (const [labels, value] of samples) lines.push(`logweir_${name}${labels} ${value}`);
  };
  const tasks: [string, TaskFigures][] = [
    ['severity', figures.severity],
    ['category', figures.category],
  ];
  const each = (of: (task: TaskFigures) => [string, number][]): [string, number][] =>
    tasks.flatMap(([name, task]) =>
      of(task).map(([labels, value]): [string, number] => [`{task="${name}"${labels}}`, value]),
    );
  const known = (task: TaskFigures, samples: [string, number][]): [string, number][] =>
    task.records === 0 ? [] : samples;
  family(
    'model_services',
    'Services by the model that classifies them.',
    'gauge',
    figures.models.map(([hash, n]): [string, number] => [`{model="${hash.slice(0, 12) || 'built-in'}"}`, n]),
  );
  family(
    'model_accuracy_ratio',
    'Share of right answers where truth became known.',
    'gauge',
    each((task) => known(task, [['', task.right / task.records]])),
  );
  family(
    'model_recent_accuracy_ratio',
    'The same over about the last 20 records of each service.',
    'gauge',
    each((task) => known(task, [['', 1 - task.recentErrors / task.records]])),
  );
  family(
    'model_drifts',
    'Times that the error rate of a service rose.',
    'gauge',
    each((task) => [['', task.drifts]]),
  );
  family(
    'model_answers',
    'Answers by truth.',
    'gauge',
    each((task) => task.confusion.map(([t, a, n]) => [`,truth="${label(t)}",answer="${label(a)}"`, n])),
  );
  family(
    'model_confidence',
    'Answers whose truth became known, by tenth of confidence.',
    'gauge',
    each((task) => task.histogram.map((n, tenth) => [`,tenth="${tenth}"`, n])),
  );
  family(
    'model_confidence_right',
    'Those of them that were right.',
    'gauge',
    each((task) => task.histogramRight.map((n, tenth) => [`,tenth="${tenth}"`, n])),
  );
  family(
    'model_learner_weight',
    'Weight of a learner in the pool.',
    'gauge',
    each((task) => task.learners.map(({ name, weight, records }) => [`,learner="${name}"`, weight / records])),
  );
  family(
    'model_learner_accuracy_ratio',
    'Recent share of right answers of a learner.',
    'gauge',
    each((task) => task.learners.map(({ name, right, records }) => [`,learner="${name}"`, right / records])),
  );
  if (figures.services > 0)
    family('model_unknown_words_ratio', 'Share of words in new templates that the model never met.', 'gauge', [
      ['', figures.unknownWords / figures.services],
    ]);
  family('model_word_drifts', 'Times that this share rose.', 'gauge', [['', figures.wordDrifts]]);
  let sum = 0;
  const buckets = latencyBoundsMs.map((bound, i): [string, number] => {
    sum += figures.latency[i] ?? 0;
    return [`_bucket{le="${bound / 1_000}"}`, sum];
  });
  const all = figures.latency.reduce((total, n) => total + n, 0);
  family('classify_seconds', 'Time to classify a template.', 'histogram', [
    ...buckets,
    ['_bucket{le="+Inf"}', all],
    ['_sum', figures.latencySumMs / 1_000],
    ['_count', all],
  ]);
  return `${lines.join('\n')}\n`;
}
