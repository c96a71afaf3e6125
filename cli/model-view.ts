/** `logweir model` as text. Pure. */
import type { TrainingOutcome } from '#coordinator/mod.ts';
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
      one.category === undefined ? '' : three(one.category.accuracy),
      three(one.champion.scores.accuracy),
      short(one.scores.records),
    ]);
  const head = ['model', 'published', 'by', 'hash', 'accuracy', 'macro-F1', 'category', 'before', 'scored on'];
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
      ...taskRows(`model ${model.champion.version}, which served before`, model.champion),
      ...taskRows(`model ${model.version}`, model),
    ]),
    '',
    ...confusion(model.scores),
  ];
  return `${lines.join('\n')}\n`;
}

interface Tasks {
  severity?: ModelScores;
  scores?: ModelScores;
  category?: ModelScores;
  unseen?: ModelScores;
}

/** Rows of a comparison: one for each question that there was something to score by. */
export function taskRows(name: string, { severity, scores, category, unseen }: Tasks): [string, ModelScores][] {
  const rows: [string, ModelScores | undefined][] = [
    [`${name}: severity`, severity ?? scores],
    [`${name}: severity, new templates only`, unseen],
    [`${name}: category`, category],
  ];
  return rows.flatMap(([row, found]) => (found !== undefined && found.records > 0 ? [[row, found]] : []));
}

export function renderTraining(outcome: TrainingOutcome, isDryRun: boolean): string {
  const { better, kept, published, trainedTemplates, corrections, challenger, champion, against } = outcome;
  const verdict =
    published !== null
      ? `Published as model ${published.version}${published.forced ? ', though it is not better' : ''}; partitions change over within seconds.`
      : better
        ? `It is better; nothing was published${isDryRun ? ' (--dry-run)' : ''}.`
        : 'It is not better, and was not published; --force publishes it all the same.';
  const lines = [
    `Trained on ${trainedTemplates} templates and ${corrections} corrections; on the later slice:`,
    ...comparison([...taskRows(`model ${against}, which serves`, champion), ...taskRows('challenger', challenger)]),
    '',
    'Severities of the challenger, in records:',
    ...confusion(challenger.severity),
    ...(challenger.category.records === 0
      ? []
      : ['', 'Categories of the challenger, in records:', ...confusion(challenger.category)]),
    '',
    ...(kept === 1 ? [] : [`It answers ${Math.floor(100 * kept)} % of its corrections as people gave them.`]),
    verdict,
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
