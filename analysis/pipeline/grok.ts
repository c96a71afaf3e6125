/**
 * `%{NAME}`, `%{NAME:field}`, `%{NAME:field:type}` and named groups of plain patterns, compiled to one linear pattern. A field's name
 * may hold dots and brackets, as in `client.address` and `[client][address]`.
 */
import { grokLibrary } from './grok-library.ts';
import { expandedCharactersMax, type LinearPattern, linearPattern } from './linear.ts';
import { pairs, wrong } from './reading.ts';

export const grokTypes = ['string', 'int', 'float'] as const;
type GrokType = (typeof grokTypes)[number];

interface Capture {
  field: string;
  type: GrokType;
  /** Of the compiled pattern, from 1. */
  group: number;
}

/** What was found: fields in the order of the pattern. */
export interface Found {
  names: string[];
  values: string[];
}

/** Names filled in within names; more is a circle or close to it. */
const depthMax = 16;
const capturesMax = 64;
const fieldName = /^[\w@.-]{1,128}$/;
const reference = /^%\{([A-Za-z_]\w*)(?::([^:}]+))?(?::([^}]+))?\}/;
const groupName = /^\(\?P?<([A-Za-z_@][\w@.-]*)>/;

export type GrokPatterns = ReadonlyMap<string, string>;

/** The library and, over it, patterns of the configuration. @throws LogweirError CONFIG_INVALID */
export function grokPatterns(raw: unknown, path: string): GrokPatterns {
  const patterns = new Map(Object.entries(grokLibrary));
  if (raw === undefined) return patterns;
  const own = pairs(raw, path);
  for (const [name, pattern, at] of own) {
    if (!/^[A-Za-z_]\w{0,63}$/.test(name))
      throw wrong(at, 'is no name of a pattern', 'Names have letters, digits and underscores, such as ORDER_ID.');
    patterns.set(name, pattern);
  }
  // One that nobody uses is checked as well.
  for (const [name, , at] of own) compileGrok(`%{${name}}`, at, patterns);
  return patterns;
}

export class Grok {
  readonly source: string;
  private readonly pattern: LinearPattern;
  private readonly captures: readonly Capture[];

  constructor(source: string, pattern: LinearPattern, captures: readonly Capture[]) {
    this.source = source;
    this.pattern = pattern;
    this.captures = captures;
  }

  /** Null where it does not fit. What is empty is left out; of two groups for one field the first that has it counts. */
  match(text: string): Found | null {
    const match = this.pattern.match(text);
    if (match === null) return null;
    const names: string[] = [];
    const values: string[] = [];
    for (const { field, type, group } of this.captures) {
      const value = match.group(group);
      if (value === null || value === '' || names.includes(field)) continue;
      names.push(field);
      values.push(type === 'string' ? value : numeric(value, type));
    }
    return { names, values };
  }
}

/** `+07` is 7 and `12.9` as int 12; what is no number stays as it is. */
function numeric(text: string, type: 'int' | 'float'): string {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return text;
  if (type === 'float') return String(value);
  // Counters and ids over 2^53 keep their digits.
  return Number.isSafeInteger(Math.trunc(value)) ? String(Math.trunc(value)) : text;
}

/** `whole`: `.` fits newlines too. @throws LogweirError CONFIG_INVALID */
export function compileGrok(source: string, path: string, patterns: GrokPatterns, whole = false): Grok {
  const expansion = new Expansion(patterns, path);
  const expanded = expansion.expand(source, []);
  const pattern = linearPattern(source, path, expanded, whole);
  if (expansion.captures.length > capturesMax)
    throw wrong(
      path,
      `has ${expansion.captures.length} fields, ${capturesMax} are allowed`,
      'Divide it into two steps.',
    );
  return new Grok(source, pattern, expansion.captures);
}

class Expansion {
  readonly captures: Capture[] = [];
  private groups = 0;
  private length = 0;
  private readonly patterns: GrokPatterns;
  private readonly path: string;

  constructor(patterns: GrokPatterns, path: string) {
    this.patterns = patterns;
    this.path = path;
  }

  expand(source: string, within: readonly string[]): string {
    let out = '';
    let inClass = false;
    for (let at = 0; at < source.length; ) {
      const first = source[at] as string;
      if (first === '\\') {
        // \Q…\E is text as it is.
        const end = source[at + 1] === 'Q' ? source.indexOf('\\E', at) : -1;
        const length = source[at + 1] !== 'Q' ? 2 : end < 0 ? source.length - at : end + 2 - at;
        out += source.slice(at, at + length);
        at += length;
        continue;
      }
      if (!inClass && first === '%' && source[at + 1] === '{') {
        const found = reference.exec(source.slice(at, at + 256));
        if (found === null)
          throw wrong(
            this.path,
            `has "${source.slice(at, at + 24)}", which names no pattern`,
            'Write %{NAME}, %{NAME:field} or %{NAME:field:int}.',
          );
        out += this.named(found, within);
        at += found[0].length;
      } else if (!inClass && first === '(') {
        const found = groupName.exec(source.slice(at, at + 160));
        if (found !== null) {
          out += `(?P<${this.capture(found[1] as string, 'string')}>`;
          at += found[0].length;
          continue;
        }
        if (source[at + 1] !== '?') this.groups++;
        out += first;
        at++;
      } else {
        if (first === '[' && !inClass) {
          inClass = true;
          // A bracket right behind the opening one is of the class.
          const literal = /^\[\^?\]/.exec(source.slice(at, at + 3));
          if (literal !== null) {
            out += literal[0];
            at += literal[0].length;
            continue;
          }
        } else if (inClass && first === '[' && source[at + 1] === ':') {
          const end = source.indexOf(':]', at);
          if (end > 0) {
            out += source.slice(at, end + 2);
            at = end + 2;
            continue;
          }
        } else if (first === ']') inClass = false;
        out += first;
        at++;
      }
      // Names within names are counted once each: what is close to the limit is told by its length later.
      if (this.length + out.length > 4 * expandedCharactersMax)
        throw wrong(this.path, 'grows too large with its names filled in', 'Use fewer names in it.');
    }
    return out;
  }

  private named([, name = '', field, type]: RegExpExecArray, within: readonly string[]): string {
    const pattern = this.patterns.get(name);
    if (pattern === undefined)
      throw wrong(
        this.path,
        `uses %{${name}}, which is no pattern`,
        `${nearest(name, this.patterns)}Own patterns are defined in pipeline.patterns.`,
      );
    if (within.includes(name) || within.length >= depthMax)
      throw wrong(
        this.path,
        `uses %{${name}} within itself (${[...within, name].join(' → ')})`,
        'Write one of them without the other.',
      );
    if (type !== undefined && !grokTypes.includes(type as GrokType))
      throw wrong(this.path, `gives the type "${type}" to %{${name}}`, `It must be one of ${grokTypes.join(', ')}.`);
    const opening = field === undefined ? '(?:' : `(?P<${this.capture(nameOf(field), (type ?? 'string') as GrokType)}>`;
    const inner = this.expand(pattern, [...within, name]);
    this.length += inner.length;
    return `${opening}${inner})`;
  }

  /** Name of the next group. */
  private capture(field: string, type: GrokType): string {
    if (!fieldName.test(field))
      throw wrong(
        this.path,
        `has a field "${field}"`,
        'Names of fields have letters, digits, dots, dashes and underscores.',
      );
    const group = ++this.groups;
    this.captures.push({ field, type, group });
    return `f${group}`;
  }
}

/** `[a][b]` is `a.b`. */
const nameOf = (field: string): string =>
  field.startsWith('[') && field.endsWith(']') ? field.slice(1, -1).replaceAll('][', '.') : field;

function nearest(name: string, patterns: GrokPatterns): string {
  const upper = name.toUpperCase();
  const close = [...patterns.keys()].filter(
    (known) => known === upper || known.startsWith(upper) || upper.startsWith(known),
  );
  return close.length === 0 ? '' : `Near it are ${close.slice(0, 3).join(', ')}. `;
}
