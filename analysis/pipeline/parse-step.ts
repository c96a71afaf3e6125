/** `parse`: formats of the user's own, the first that fits. */
import { type HeldNames, putFields, putLine } from './found-fields.ts';
import { type FieldRef, fieldRef } from './field.ts';
import { compileGrok, type Grok, type GrokPatterns } from './grok.ts';
import type { Item } from './item.ts';
import { flag, group, isGroup, optionalText, texts } from './reading.ts';
import { missOutcome, Outcome, type Step } from './step.ts';

const formatsMax = 64;
const formatCharactersMax = 4_096;

/** @throws LogweirError CONFIG_INVALID */
export function parseStep(raw: unknown, path: string, name: string, patterns: GrokPatterns, held: HeldNames): Step {
  const given = isGroup(raw) ? group(raw, path, ['formats', 'field', 'prefix', 'whole', 'onMiss']) : { formats: raw };
  const listed = isGroup(raw) ? `${path}.formats` : path;
  const whole = flag(given['whole'], `${path}.whole`, false);
  const formats = texts(given['formats'], listed, formatsMax, formatCharactersMax).map((format, i) =>
    compileGrok(format, Array.isArray(given['formats']) ? `${listed}[${i}]` : listed, patterns, whole),
  );
  const field = optionalText(given['field'], `${path}.field`);
  return new ParseStep(
    formats,
    field === undefined ? null : fieldRef(field, `${path}.field`),
    optionalText(given['prefix'], `${path}.prefix`) ?? '',
    whole,
    held,
    new Outcome('ok', name, 'parsed'),
    missOutcome(given['onMiss'], `${path}.onMiss`, name, 'no format fits'),
  );
}

class ParseStep implements Step {
  readonly outcomes: readonly Outcome[];
  private readonly formats: readonly Grok[];
  /** Null: the line as it came, or else the body. */
  private readonly field: FieldRef | null;
  private readonly prefix: string;
  private readonly whole: boolean;
  private readonly held: HeldNames;
  private readonly parsed: Outcome;
  private readonly missed: Outcome;
  private readonly bodyField = fieldRef('body', '');

  constructor(
    formats: readonly Grok[],
    field: FieldRef | null,
    prefix: string,
    whole: boolean,
    held: HeldNames,
    parsed: Outcome,
    missed: Outcome,
  ) {
    this.formats = formats;
    this.field = field;
    this.prefix = prefix;
    this.whole = whole;
    this.held = held;
    this.parsed = parsed;
    this.missed = missed;
    this.outcomes = [parsed, missed];
  }

  run(item: Item): Outcome {
    const { raw } = item;
    if (this.field === null && raw !== null && this.prefix === '') {
      const { head, tail } = raw;
      const text = this.whole && tail !== '' ? `${head}\n${tail}` : head;
      for (const format of this.formats) {
        const found = format.match(text);
        if (found === null) continue;
        putLine(item, found, { ...raw, head: text, tail: this.whole ? '' : tail }, this.held);
        item.format = format.source;
        return this.parsed;
      }
      return this.missed;
    }
    const field = this.field ?? this.bodyField;
    const value = field.get(item);
    if (value === undefined) return this.missed;
    const end = this.whole ? -1 : value.indexOf('\n');
    const text = end < 0 ? value : value.slice(0, end);
    for (const format of this.formats) {
      const found = format.match(text);
      if (found === null) continue;
      const body = item.body;
      putFields(item, found, field, this.prefix, this.held);
      // What follows the first line stays with the body.
      if (end >= 0 && field.isBody && item.body !== body) item.body += value.slice(end);
      item.format = format.source;
      return this.parsed;
    }
    return this.missed;
  }
}
