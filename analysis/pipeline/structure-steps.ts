/** `json`, `logfmt`, `kv`: a field that holds fields. */
import { flattenJson } from '#analysis/formats/mod.ts';
import { type FoundFields, type HeldNames, putFields } from './found-fields.ts';
import { type FieldRef, fieldRef } from './field.ts';
import type { Item } from './item.ts';
import { group, isGroup, optionalText, text } from './reading.ts';
import { missOutcome, Outcome, type Step } from './step.ts';

export type StructureKind = 'json' | 'logfmt' | 'kv';
type Read = (text: string) => FoundFields | null;

/** Pairs of one text; more stay unread. */
const pairsMax = 512;

/** @throws LogweirError CONFIG_INVALID */
export function structureStep(kind: StructureKind, raw: unknown, path: string, name: string, held: HeldNames): Step {
  const keys = ['field', 'prefix', 'onMiss', ...(kind === 'kv' ? ['pairs', 'equals'] : [])];
  const given = isGroup(raw) ? group(raw, path, keys) : raw === true ? {} : { field: text(raw, path) };
  const at = isGroup(raw) ? `${path}.field` : path;
  const field = fieldRef(optionalText(given['field'], at) ?? 'body', at);
  const prefix = optionalText(given['prefix'], `${path}.prefix`) ?? '';
  const missed = missOutcome(given['onMiss'], `${path}.onMiss`, name, kind === 'json' ? 'no JSON object' : 'no pairs');
  const separator = optionalText(given['pairs'], `${path}.pairs`, 8) ?? ' ';
  const equals = optionalText(given['equals'], `${path}.equals`, 8) ?? '=';
  const read: Read = kind === 'json' ? readJson : (value) => readPairs(value, separator, equals);
  return new StructureStep(read, field, prefix, held, new Outcome('ok', name, 'parsed'), missed);
}

class StructureStep implements Step {
  readonly outcomes: readonly Outcome[];
  private readonly read: Read;
  private readonly field: FieldRef;
  private readonly prefix: string;
  private readonly held: HeldNames;
  private readonly parsed: Outcome;
  private readonly missed: Outcome;

  constructor(read: Read, field: FieldRef, prefix: string, held: HeldNames, parsed: Outcome, missed: Outcome) {
    this.read = read;
    this.field = field;
    this.prefix = prefix;
    this.held = held;
    this.parsed = parsed;
    this.missed = missed;
    this.outcomes = [parsed, missed];
  }

  run(item: Item): Outcome {
    const value = this.field.get(item);
    const found = value === undefined ? null : this.read(value);
    if (found === null) return this.missed;
    // An attribute that was taken apart is there twice otherwise.
    if (!this.field.isBody) this.field.remove(item);
    putFields(item, found, this.field, this.prefix, this.held);
    return this.parsed;
  }
}

/** From the first brace on, so that text may stand before the object. */
function readJson(value: string): FoundFields | null {
  const start = value.indexOf('{');
  if (start < 0 || !value.trimEnd().endsWith('}')) return null;
  try {
    const names: string[] = [];
    const values: string[] = [];
    flattenJson(JSON.parse(value.slice(start)) as Record<string, unknown>, (name, text) => {
      names.push(name);
      values.push(text);
    });
    return names.length === 0 ? null : { names, values };
  } catch {
    // No JSON, or nested so deep that it cannot be written again.
    return null;
  }
}

/** `a=1 b="two words"`: keys without a value, and what is no pair, are left out. Linear in the text. */
export function readPairs(value: string, separator: string, equals: string): FoundFields | null {
  const names: string[] = [];
  const values: string[] = [];
  const blank = separator.trim() === '';
  let at = 0;
  // Looked for once and kept, or words without a sign would each search the whole text.
  let sign = value.indexOf(equals);
  while (at < value.length && names.length < pairsMax) {
    if (blank) while (at < value.length && value.charCodeAt(at) <= 32) at++;
    const next = endOf(value, at, separator, blank);
    if (sign >= 0 && sign < at) sign = value.indexOf(equals, at);
    if (sign < 0) break;
    if (sign >= next) {
      at = next + (blank ? 1 : separator.length);
      continue;
    }
    const name = value.slice(at, sign).trim();
    let start = sign + equals.length;
    let end = next;
    const quote = value.charCodeAt(start);
    let text: string;
    if (quote === 34 || quote === 39) {
      start++;
      end = closingQuote(value, start, quote);
      text = unescaped(value.slice(start, end));
      end = endOf(value, Math.min(end + 1, value.length), separator, blank);
    } else {
      end = endOf(value, start, separator, blank);
      text = value.slice(start, end);
      if (!blank) text = text.trim();
    }
    if (name !== '' && name.length <= 128 && !/\s/.test(name)) {
      names.push(name);
      values.push(text);
    }
    at = end + (blank ? 1 : separator.length);
  }
  return names.length === 0 ? null : { names, values };
}

function endOf(value: string, at: number, separator: string, blank: boolean): number {
  if (blank) {
    while (at < value.length && value.charCodeAt(at) > 32) at++;
    return at;
  }
  const end = value.indexOf(separator, at);
  return end < 0 ? value.length : end;
}

function closingQuote(value: string, at: number, quote: number): number {
  for (; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === 92) at++;
    else if (code === quote) return at;
  }
  return value.length;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const unescaped = (text: string): string =>
  text.includes('\\') ? text.replace(/\\(.)/gs, (_whole, one: string) => escapes[one] ?? one) : text;
