/**
 * Tokens of ClickHouse SQL, as far as strings, comments, brackets and words go: enough to see where a statement
 * ends and what stands at its end. What a statement may do is the engine's to decide, not the lexer's.
 */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'mark';
  /** As written; for `quoted`, without its quotes. */
  text: string;
  start: number;
  end: number;
  /** Brackets open around it. */
  depth: number;
}

const word = /[A-Za-z_\u0080-\u2017\u201a\u201b\u201e-\uffff][\w$\u0080-\u2017\u201a\u201b\u201e-\uffff]*/y;
const number = /\d[\w.]*/y;
const space = /[\s\ufeff\u200b\u2060]+/y;

/**
 * Outside strings these begin strings for ClickHouse in ways that are not followed here; reading on could take a
 * call for part of a string.
 */
const unfollowed = new Set(['$', '\0', '\u2018', '\u2019', '\u201c', '\u201d']);

/** Null where a string, quoted name or comment has no end, or begins with a mark that is not followed here. */
export function tokenize(sql: string): Token[] | null {
  const tokens: Token[] = [];
  let depth = 0;
  let at = 0;
  while (at < sql.length) {
    const skipped = skip(sql, at);
    if (skipped === -1) return null;
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const char = sql[at] as string;
    let kind: Token['kind'] = 'mark';
    let end = at + 1;
    if (char === "'" || char === '`' || char === '"') {
      kind = char === "'" ? 'string' : 'quoted';
      end = endOfQuote(sql, at, char);
    } else if (unfollowed.has(char)) {
      kind = 'string';
      end = char === '$' ? heredocEnd(sql, at) : -1;
    } else if ((end = match(word, sql, at)) > at) kind = 'word';
    else if ((end = match(number, sql, at)) > at) kind = 'number';
    else end = at + 1;
    if (end === -1) return null;
    if (kind === 'mark' && (char === ')' || char === ']' || char === '}')) depth--;
    const text = kind === 'quoted' ? sql.slice(at + 1, end - 1) : sql.slice(at, end);
    tokens.push({ kind, text, start: at, end, depth });
    if (kind === 'mark' && (char === '(' || char === '[' || char === '{')) depth++;
    at = end;
  }
  return tokens;
}

/** Past spaces and one comment; -1 where a comment has no end. */
function skip(sql: string, at: number): number {
  const afterSpace = match(space, sql, at);
  if (afterSpace > at) return afterSpace;
  if (sql.startsWith('--', at) || sql.startsWith('# ', at) || sql.startsWith('#!', at)) {
    const end = sql.indexOf('\n', at);
    return end === -1 ? sql.length : end;
  }
  if (!sql.startsWith('/*', at)) return at;
  const end = sql.indexOf('*/', at + 2);
  return end === -1 ? -1 : end + 2;
}

function match(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

/** Past the closing quote; a backslash escapes, a doubled quote stands for itself. -1: none. */
function endOfQuote(sql: string, start: number, mark: string): number {
  for (let at = start + 1; at < sql.length; at++) {
    if (sql[at] === '\\') at++;
    else if (sql[at] === mark) {
      if (sql[at + 1] !== mark) return at + 1;
      at++;
    }
  }
  return -1;
}

/** Past `$tag$ … $tag$`; -1: not a heredoc as it is known here, or without an end. */
function heredocEnd(sql: string, start: number): number {
  const tag = /\$\w*\$/y;
  const open = match(tag, sql, start);
  if (open === start) return -1;
  const mark = sql.slice(start, open);
  const close = sql.indexOf(mark, open);
  return close === -1 ? -1 : close + mark.length;
}
