/** Message texts that the caller brings: bodies of real logs by source and kind of message, for worlds made of them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { severityNumberOf } from '../../protocol/mod.ts';

/** Messages of one kind from one source. */
export interface TextKind {
  source: string;
  /** 0: the source says none. */
  severityNumber: number;
  /** How many of them the source has; `lines` keeps some. */
  count: number;
  lines: string[];
}

const linesMax = 400;

/**
 * Reads NDJSON (`body`, and if known `severity`, `service` or `system`, `group`), loghub's structured CSV (`Content`,
 * `Level`, `EventId`), either also with `.gz`, folders of them, and `.tgz` archives. Kinds by source.
 */
export function readTexts(paths: readonly string[]): Map<string, TextKind[]> {
  const kinds = new Map<string, TextKind>();
  const add = (source: string, group: string, severityNumber: number, body: string): void => {
    if (body.trim() === '') return;
    const key = JSON.stringify([source, severityNumber, group]);
    let kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, (kind = { source, severityNumber, count: 0, lines: [] }));
    kind.count++;
    if (kind.lines.length < linesMax) kind.lines.push(body);
  };
  for (const one of paths) readPath(one, add);
  const sources = new Map<string, TextKind[]>();
  for (const kind of kinds.values()) sources.set(kind.source, [...(sources.get(kind.source) ?? []), kind]);
  return sources;
}

type Add = (source: string, group: string, severityNumber: number, body: string) => void;

function readPath(at: string, add: Add): void {
  if (statSync(at).isDirectory()) {
    for (const name of readdirSync(at).sort()) readPath(path.join(at, name), add);
    return;
  }
  if (/\.(tgz|tar\.gz)$/.test(at)) {
    const folder = mkdtempSync(path.join(tmpdir(), 'texts-'));
    try {
      execFileSync('tar', ['-xzf', at, '-C', folder]);
      readPath(folder, add);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return;
  }
  const name = path.basename(at).replace(/\.gz$/, '');
  const text = (): string => (at.endsWith('.gz') ? gunzipSync(readFileSync(at)) : readFileSync(at)).toString('utf8');
  if (name.endsWith('_structured.csv')) readCsv(text(), name.replace(/_.*/, ''), add);
  else if (name.endsWith('.ndjson')) readNdjson(text(), name, add);
}

function readNdjson(text: string, name: string, add: Add): void {
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const record = JSON.parse(line) as Record<string, unknown>;
    const of = (key: string): string => {
      const value = record[key];
      return typeof value === 'string' ? value : '';
    };
    const body = of('body');
    add(of('service') || of('system') || name, of('group') || shapeOf(body), severityOf(of('severity')), body);
  }
}

function readCsv(text: string, source: string, add: Add): void {
  const [head = [], ...rows] = csvRows(text);
  const [content, level, event] = ['Content', 'Level', 'EventId'].map((name) => head.indexOf(name)) as [
    number,
    number,
    number,
  ];
  for (const row of rows)
    add(source, row[event] ?? '', level < 0 ? 0 : severityOf(row[level] ?? ''), row[content] ?? '');
}

function csvRows(text: string): string[][] {
  return [...text.matchAll(/((?:"(?:[^"]|"")*"|[^",\n]*)(?:,(?:"(?:[^"]|"")*"|[^",\n]*))*)\r?\n/g)].map(([, row]) =>
    [...(row as string).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
    ),
  );
}

function severityOf(level: string): number {
  return level === '' ? 0 : (severityNumberOf(level) ?? 0);
}

/** The words without digits that a message begins with. */
function shapeOf(body: string): string {
  return body
    .split(/\s+/)
    .filter((word) => !/\d/.test(word))
    .slice(0, 10)
    .join(' ')
    .slice(0, 120);
}

/** What a person would take for a failure without being told. */
export function readsLikeFailure({ lines }: TextKind): boolean {
  return /error|exception|fail|refused|timed? ?out|denied|abort|corrupt|panic|fatal|unable|can ?not|could not|invalid|not found|broken|unavailable|killed|lost|warning|critical|illegal|interrupt|not.respond|unknown|exceeded/i.test(
    lines[0] as string,
  );
}
