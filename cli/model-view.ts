/** `logweir model` as text. Pure. */
import type { Models, ModelScores, ModelVersion } from '#protocol/mod.ts';
import { short } from './progress.ts';
import { table } from './table.ts';

const three = (value: number): string => value.toFixed(3);
const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')}Z`;

export function renderModels(models: Models): string {
  const rows = [...models.versions]
    .reverse()
    .map((one) => [
      mark(models, one.version),
      time(one.atMs),
      one.by,
      one.hash.slice(0, 12),
      three(one.scores.accuracy),
      three(one.scores.macroF1),
      three(one.champion.scores.accuracy),
      short(one.scores.records),
    ]);
  const head = ['model', 'published', 'by', 'hash', 'accuracy', 'macro-F1', 'before', 'scored on'];
  const lines = table([head, ...rows, [mark(models, 0), '', 'built in']], 4);
  if (models.published < models.change) lines.push('', 'The leader has not told all partitions of it yet.');
  return `${lines.join('\n')}\n`;
}

const mark = ({ serving }: Models, version: number): string =>
  serving === version ? `${version} serves` : `${version}`;

export function renderModel(models: Models, model: ModelVersion): string {
  const span = ({ fromMs, toMs }: { fromMs: number; toMs: number }): string => `${time(fromMs)} – ${time(toMs)}`;
  const lines = [
    `Model ${mark(models, model.version)}: ${model.hash}, ${short(model.bytes)}B`,
    `published ${time(model.atMs)} by ${model.by}${model.forced ? ', by force' : ''}`,
    `trained on ${model.trainedTemplates} templates, ${span(model.trained)}, and ${model.corrections} corrections`,
    `scored on ${short(model.scores.records)} records, ${span(model.scored)}`,
    '',
    ...comparison([
      [`model ${model.champion.version}, which served before`, model.champion.scores],
      [`model ${model.version}`, model.scores],
    ]),
    '',
    ...confusion(model.scores),
  ];
  return `${lines.join('\n')}\n`;
}

export function comparison(rows: readonly (readonly [string, ModelScores])[]): string[] {
  const head = ['', 'records', 'accuracy', 'macro-F1', 'calibration error'];
  const cells = rows.map(([name, s]) => [
    name,
    short(s.records),
    three(s.accuracy),
    three(s.macroF1),
    three(s.calibrationError),
  ]);
  return table([head, ...cells]);
}

/** Rows: truth; columns: answer. */
export function confusion({ labels, confusion: cells }: ModelScores): string[] {
  const rows = labels.map((label, i) => [label, ...(cells[i] ?? []).map((n) => short(n))]);
  return table([['truth \\ answer', ...labels], ...rows]);
}
