/** How `logweir parse` shows records and sums them up. */
import type { FileCounts, Previewed } from '#ingest/pipeline/mod.ts';
import type { StepCount } from '#analysis/pipeline/mod.ts';
import type { LogRecord } from '#protocol/record.ts';
import { severityClass } from '#protocol/severity.ts';
import { table } from './table.ts';

const fileWidthMax = 24;
const serviceWidth = 14;
const bodyWidthMin = 40;
const control = /[\u0000-\u001f\u007f-\u009f]+/g;

/** ISO 8601 with the digits that are known, '' where there is no time. */
export function timeText({ timeMs, timeSubNs }: LogRecord): string {
  if (timeMs === undefined) return '';
  const text = new Date(timeMs).toISOString();
  return timeSubNs ? `${text.slice(0, -1)}${String(timeSubNs).padStart(6, '0')}Z` : text;
}

const severityOf = ({ severityNumber, severityText }: LogRecord): string =>
  severityNumber > 0 ? severityClass(severityNumber) : severityText;

/** Nothing fitted: no built-in format, or none of a parse step that was asked. */
export const isMiss = ({ pattern, format, steps }: Previewed): boolean =>
  pattern === '' && (format === 'plain' || steps.some(({ reason }) => reason === 'no format fits'));

/** One record as one line of JSON. */
export function jsonLine(previewed: Previewed): string {
  const { file, line, lines, format, pattern, record, outcome, steps } = previewed;
  const last = outcome === 'ok' ? undefined : steps.at(-1);
  return JSON.stringify({
    file,
    line,
    ...(lines > 1 ? { lines } : {}),
    format,
    ...(pattern === '' ? {} : { pattern }),
    timestamp: timeText(record) || null,
    severity: severityOf(record),
    severityNumber: record.severityNumber,
    service: record.service ?? '',
    body: record.body,
    ...(record.traceId ? { traceId: record.traceId } : {}),
    ...(record.spanId ? { spanId: record.spanId } : {}),
    attributes: objectOf(record.attributes),
    resource: objectOf(record.resource),
    outcome,
    ...(last === undefined ? {} : { step: last.step, reason: last.reason }),
    ...(steps.length === 0 ? {} : { steps: steps.map(({ step, reason }) => `${step}: ${reason}`) }),
  });
}

function objectOf(pairs: readonly string[] = []): Record<string, string> {
  const object = Object.create(null) as Record<string, string>;
  for (let i = 0; i < pairs.length; i += 2) object[pairs[i] as string] = pairs[i + 1] as string;
  return object;
}

/** The same for people: a line of columns, then fields and what became of it. `file`: '' where there is one. */
export function recordLines(previewed: Previewed, file: string, columns: number): string[] {
  const { line, lines, format, pattern, record, outcome, steps } = previewed;
  const place = `${file === '' ? '' : `${shortened(file, fileWidthMax)}:`}${line}${lines > 1 ? `-${line + lines - 1}` : ''}`;
  const head = [
    place.padStart(file === '' ? 6 : 12),
    timeText(record).padEnd(24),
    severityOf(record).padEnd(7),
    (record.service ?? '').slice(0, serviceWidth).padEnd(serviceWidth),
  ].join('  ');
  const body = printable(record.body);
  const shown = [`${head}  ${cut(body, Math.max(bodyWidthMin, columns - head.length - 2))}`];
  const indent = ' '.repeat(8);
  const fields = [...pairsText(record.resource, 'resource.'), ...pairsText(record.attributes, '')];
  if (fields.length > 0) shown.push(...wrapped(fields, indent, columns));
  const by = isMiss(previewed) ? 'no format' : pattern === '' ? format : cut(pattern, 60);
  const did = (outcome === 'ok' ? steps : steps.slice(0, -1)).map(({ step, reason }) => `${step}: ${reason}`);
  shown.push(cut(`${indent}[${[by, ...did].join('; ')}]`, Math.max(columns, 100)));
  const last = steps.at(-1);
  if (outcome !== 'ok') shown.push(`${indent}→ ${became[outcome]} by ${last?.step ?? ''}: ${last?.reason ?? ''}`);
  return shown;
}

const became = { drop: 'dropped', dead: 'dead letter', redirect: 'redirected' } as const;

const pairsText = (pairs: readonly string[] = [], prefix: string): string[] =>
  pairs.flatMap((name, i) =>
    i % 2 === 0 ? [`${prefix}${printable(name)}=${cut(printable(pairs[i + 1] ?? ''), 80)}`] : [],
  );

function wrapped(parts: readonly string[], indent: string, columns: number): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const part of parts) {
    if (line !== indent && line.length + part.length + 1 > columns) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? part : `  ${part}`;
  }
  return [...lines, line];
}

/** Newlines and what terminals act on become visible. */
const printable = (text: string): string => text.replace(control, (found) => (found.includes('\n') ? '⏎' : '·'));

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

const shortened = (path: string, width: number): string => (path.length <= width ? path : `…${path.slice(1 - width)}`);

const number = (value: number): string => value.toLocaleString('en-US');

export interface Miss {
  template: string;
  count: number;
  file: string;
  line: number;
  example: string;
}

export interface Summary {
  files: number;
  counts: FileCounts;
  byOutcome: Readonly<Record<Previewed['outcome'], number>>;
  byPattern: ReadonlyMap<string, number>;
  steps: readonly StepCount[];
  misses: readonly Miss[];
  missed: number;
  seconds: number;
}

const missesShown = 20;

export function summaryLines(summary: Summary): string[] {
  const { files, counts, byOutcome, byPattern, steps, misses, missed, seconds } = summary;
  const rate = seconds > 0 ? ` (${number(Math.round(counts.lines / seconds))} lines/s)` : '';
  const lines = [
    `${number(counts.lines)} lines from ${number(files)} ${files === 1 ? 'file' : 'files'} in ${seconds.toFixed(1)} s${rate}: ${number(counts.records)} records`,
    `  ${number(counts.folded)} lines folded into multi-line records, ${number(counts.blank)} blank, ${number(counts.rejected)} rejected`,
  ];
  const { ok, drop, dead, redirect } = byOutcome;
  if (drop + dead + redirect > 0)
    lines.push(
      `  ${number(ok)} kept, ${number(drop)} dropped, ${number(dead)} dead letters, ${number(redirect)} redirected`,
    );
  const formats = Object.entries(counts.byFormat).sort((a, b) => b[1] - a[1]);
  if (formats.length > 0)
    lines.push('built-in formats:', ...table(formats.map(([name, count]) => [name, number(count)])));
  if (byPattern.size > 0)
    lines.push(
      'own formats:',
      ...table([...byPattern].sort((a, b) => b[1] - a[1]).map(([name, count]) => [cut(name, 80), number(count)])),
    );
  const said = steps.filter(({ count }) => count > 0);
  if (said.length > 0)
    lines.push(
      'steps:',
      ...table(
        said.map(({ step, reason, count }) => [step, reason, number(count)]),
        2,
      ),
    );
  for (const { file, line, reason } of counts.rejections) lines.push(`rejected: ${file}:${line}: ${reason}`);
  for (const { name, reason } of counts.skipped) lines.push(`left out: ${name}: ${reason}`);
  if (missed > 0) {
    const kinds = `${number(misses.length)} ${misses.length === 1 ? 'template' : 'templates'}`;
    lines.push(`no format fits ${number(missed)} ${missed === 1 ? 'record' : 'records'}, in ${kinds}:`);
    for (const { template, count, file, line } of misses.slice(0, missesShown))
      lines.push(`  ${number(count).padStart(7)}  ${cut(printable(template), 100)}  (${file}:${line})`);
    if (misses.length > missesShown) lines.push(`  … and ${number(misses.length - missesShown)} templates more`);
  }
  return lines;
}
