/** What a statement that came over HTTP is: reading or writing, its FORMAT and SETTINGS clauses, its inline data. */
import { type Token, tokenize } from './lexer.ts';

export interface Insert {
  /** Name of the table as written, with database where given. */
  table: string;
  /** Column list as written, without brackets; null: all. */
  columns: string | null;
  format: string;
  /** Where the inline data begins in the text (behind VALUES, or the line of FORMAT). */
  dataStart: number;
}

export interface Statement {
  /** Without its closing FORMAT and SETTINGS clauses, comments and `;` at the end. */
  sql: string;
  /** First word, upper case. */
  verb: string;
  format: string | null;
  /** Of the SETTINGS clause at the end. */
  settings: Record<string, string>;
  /** Set for an INSERT with data; null for INSERT … SELECT and everything else. */
  insert: Insert | null;
}

export type Inspection = { ok: true; statement: Statement } | { ok: false; reason: string };

const reading = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', 'FROM', '(']);

export function isReading(statement: Statement): boolean {
  return reading.has(statement.verb);
}

export function inspect(text: string): Inspection {
  const all = tokenize(insertHead(text) ?? text);
  if (all === null) return { ok: false, reason: 'a string, quoted name or comment has no end' };
  const first = all.findIndex((token) => token.text === ';' && token.kind === 'mark');
  const tokens = first === -1 ? all : all.slice(0, first);
  if (first !== -1 && all.slice(first).some((token) => token.text !== ';')) {
    return { ok: false, reason: 'Multi-statements are not allowed' };
  }
  if (tokens.length === 0) return { ok: false, reason: 'Empty query' };
  const verb = (tokens[0] as Token).text.toUpperCase();
  if (verb === 'INSERT') return inspectInsert(text, tokens);
  const statement: Statement = { sql: '', verb, format: null, settings: {}, insert: null };
  const end = reading.has(verb) ? stripClauses(text, tokens, statement) : tokens.length;
  statement.sql = text.slice((tokens[0] as Token).start, tokens[end - 1]?.end ?? 0);
  return { ok: true, statement };
}

/**
 * What in a reading statement goes round the engine's own read-only mode, or null. That mode stops writes and table
 * functions (file, url, s3, …); left are the scalar function `file` and INTO OUTFILE, which run as this process.
 */
export function forbiddenInReading(sql: string): string | null {
  const tokens = tokenize(sql);
  if (tokens === null) return 'a string, quoted name or comment has no end';
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind === 'quoted' && token.text.includes('\\')) return 'a backslash in a quoted name';
    // Any mention of `file` but as an alias: a function is also called by name, as in arrayMap(file, …) or APPLY file.
    if ((token.kind === 'word' || token.kind === 'quoted') && token.text === 'file' && !isWord(tokens[i - 1], 'AS')) {
      return 'the function file';
    }
    if (isWord(token, 'OUTFILE') && isWord(tokens[i - 1], 'INTO')) return 'INTO OUTFILE';
    if (isWord(token, 'INFILE') && isWord(tokens[i - 1], 'FROM')) return 'FROM INFILE';
  }
  return null;
}

function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === text;
}

/** Takes `FORMAT x` and `SETTINGS a = 1, …`, in any order, off the end. Returns how many tokens remain. */
function stripClauses(text: string, tokens: readonly Token[], into: Statement): number {
  let end = tokens.length;
  for (;;) {
    const name = tokens[end - 1];
    if (
      into.format === null &&
      name?.kind === 'word' &&
      isWord(tokens[end - 2], 'FORMAT') &&
      name.depth === 0 &&
      end > 2
    ) {
      into.format = name.text;
      end -= 2;
      continue;
    }
    const start = settingsStart(tokens, end);
    const settings = start === -1 ? null : readSettings(text, tokens.slice(start + 1, end));
    if (settings === null) return end;
    into.settings = { ...settings, ...into.settings };
    end = start;
  }
}

function settingsStart(tokens: readonly Token[], end: number): number {
  for (let at = end - 1; at > 0; at--) {
    const token = tokens[at] as Token;
    if (token.depth === 0 && isWord(token, 'SETTINGS')) return at;
  }
  return -1;
}

/** `name = value, …` as text by name; null where it is anything else. Strings lose their quotes. */
function readSettings(text: string, tokens: readonly Token[]): Record<string, string> | null {
  const settings: Record<string, string> = {};
  let at = 0;
  while (at < tokens.length) {
    const name = tokens[at];
    if (name?.kind !== 'word' || tokens[at + 1]?.text !== '=') return null;
    let end = at + 2;
    while (end < tokens.length && !(tokens[end]?.text === ',' && tokens[end]?.depth === 0)) end++;
    const value = tokens.slice(at + 2, end);
    if (value.length === 0 || value.length > 2) return null;
    const [only] = value as [Token];
    settings[name.text] =
      only.kind === 'string'
        ? unquote(only.text)
        : text.slice(only.start, (value.at(-1) as Token).end).replaceAll(/\s/g, '');
    at = end + 1;
  }
  return at === 0 ? null : settings;
}

function unquote(text: string): string {
  return text
    .slice(1, -1)
    .replaceAll("''", "'")
    .replaceAll(/\\(.)/gs, (_, char: string) => ({ n: '\n', t: '\t', r: '\r', '0': '\0' })[char] ?? char);
}

const insertPattern = /^\s*INSERT\s+INTO\s[\s\S]*?\b(?:VALUES\b|FORMAT\s+\w+[ \t]*(?:;|\r?\n|$))/i;

/** The statement of an INSERT with data, without the data, which is no SQL. */
function insertHead(text: string): string | null {
  const head = insertPattern.exec(text)?.[0];
  if (head === undefined) return null;
  const tokens = tokenize(head);
  // A VALUES or FORMAT within a string or bracket is not the one that data follows.
  return tokens === null || tokens.some((token) => isWord(token, 'SELECT') || isWord(token, 'INFILE')) ? null : head;
}

function inspectInsert(text: string, tokens: readonly Token[]): Inspection {
  const plain: Statement = {
    sql: text.slice((tokens[0] as Token).start, (tokens.at(-1) as Token).end),
    verb: 'INSERT',
    format: null,
    settings: {},
    insert: null,
  };
  const head = insertHead(text);
  if (head === null) return { ok: true, statement: plain };
  let at = 2;
  if (isWord(tokens[at], 'TABLE')) at++;
  let tableEnd = at + 1;
  if (tokens[tableEnd]?.text === '.') tableEnd += 2;
  const named = tokens.slice(at, tableEnd);
  if (!named.every((token) => token.kind === 'word' || token.kind === 'quoted' || token.text === '.')) {
    return { ok: false, reason: 'the table of an INSERT must be a plain name' };
  }
  const table = text.slice((named[0] as Token).start, (named.at(-1) as Token).end);
  let columns: string | null = null;
  let rest = tableEnd;
  if (tokens[rest]?.text === '(') {
    const close = tokens.findIndex((token, index) => index > rest && token.text === ')' && token.depth === 0);
    if (close === -1) return { ok: false, reason: 'a bracket is not closed' };
    columns = text.slice((tokens[rest] as Token).end, (tokens[close] as Token).start);
    rest = close + 1;
  }
  if (isWord(tokens[rest], 'SETTINGS')) {
    const clause = tokens.findIndex(
      (token, index) => index > rest && (isWord(token, 'VALUES') || isWord(token, 'FORMAT')),
    );
    const settings = readSettings(text, tokens.slice(rest + 1, clause));
    if (settings === null) return { ok: false, reason: 'the SETTINGS of an INSERT cannot be read' };
    plain.settings = settings;
    rest = clause;
  }
  const values = isWord(tokens[rest], 'VALUES');
  if (!values && !isWord(tokens[rest], 'FORMAT')) return { ok: true, statement: plain };
  const format = values ? 'Values' : (tokens[rest + 1]?.text ?? '');
  return { ok: true, statement: { ...plain, insert: { table, columns, format, dataStart: head.length } } };
}
