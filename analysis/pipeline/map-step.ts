/** `map`: copies, moves, sets and removes fields, in this order; then the severity by a table. */
import { severityNumberOf } from '#protocol/mod.ts';
import { type FieldRef, fieldRef } from './field.ts';
import type { Item } from './item.ts';
import { group, isGroup, pairs, shown, text, texts, wrong } from './reading.ts';
import { Outcome, pass, type Step } from './step.ts';

const keys = ['copy', 'move', 'rename', 'set', 'remove', 'service', 'severity'] as const;
const insertion = /%\{([^}]{1,256})\}/g;

type Change = (item: Item) => boolean;

/** @throws LogweirError CONFIG_INVALID */
export function mapStep(raw: unknown, path: string, name: string, held: Set<string>): Step {
  const given = group(raw, path, keys);
  if (Object.keys(given).length === 0) throw wrong(path, 'is empty', `Name at least one of ${keys.join(', ')}.`);
  const source = (field: string, at: string): FieldRef => {
    const ref = fieldRef(field, at);
    held.add(ref.name);
    return ref;
  };
  const changes: Change[] = [];
  for (const key of ['copy', 'move', 'rename'] as const) {
    if (given[key] === undefined) continue;
    for (const [from, to, at] of pairs(given[key], `${path}.${key}`))
      changes.push(transfer(source(from, at), fieldRef(to, at), key !== 'copy'));
  }
  if (given['set'] !== undefined)
    for (const [to, value, at] of pairs(given['set'], `${path}.set`))
      changes.push(assignment(fieldRef(to, at), value, at, held));
  if (given['service'] !== undefined) {
    const from = texts(given['service'], `${path}.service`).map((field, i) => source(field, `${path}.service[${i}]`));
    changes.push(firstOf(from, fieldRef('service', path)));
  }
  if (given['severity'] !== undefined) changes.push(severityChange(given['severity'], `${path}.severity`, source));
  if (given['remove'] !== undefined) {
    const globs = texts(given['remove'], `${path}.remove`);
    for (const [i, field] of globs.entries())
      changes.push(field.includes('*') ? removal(field) : removalOf(fieldRef(field, `${path}.remove[${i}]`)));
  }
  return new MapStep(changes, new Outcome('ok', name, 'changed'));
}

class MapStep implements Step {
  readonly outcomes: readonly Outcome[];
  private readonly changes: readonly Change[];
  private readonly changed: Outcome;

  constructor(changes: readonly Change[], changed: Outcome) {
    this.changes = changes;
    this.changed = changed;
    this.outcomes = [changed];
  }

  run(item: Item): Outcome {
    let any = false;
    for (const change of this.changes) if (change(item)) any = true;
    return any ? this.changed : pass;
  }
}

const transfer =
  (from: FieldRef, to: FieldRef, removes: boolean): Change =>
  (item) => {
    const value = from.get(item);
    if (value === undefined || from.name === to.name) return false;
    if (removes) from.remove(item);
    to.set(item, value);
    return true;
  };

/** `%{field}` in the value is that field's; where the record has none of those, nothing is set. */
function assignment(to: FieldRef, value: string, path: string, held: Set<string>): Change {
  const refs = [...value.matchAll(insertion)].map(([, field = '']) => fieldRef(field, path));
  for (const ref of refs) held.add(ref.name);
  if (refs.length === 0)
    return (item) => {
      to.set(item, value);
      return true;
    };
  return (item) => {
    const values = refs.map((ref) => ref.get(item));
    if (values.every((one) => one === undefined)) return false;
    let next = 0;
    to.set(
      item,
      value.replace(insertion, () => values[next++] ?? ''),
    );
    return true;
  };
}

const firstOf =
  (from: readonly FieldRef[], to: FieldRef): Change =>
  (item) => {
    for (const ref of from) {
      const value = ref.get(item);
      if (value === undefined || value === '') continue;
      to.set(item, value);
      return true;
    }
    return false;
  };

/** `field`, or `{ field, table: { their word: SEVERITY } }`. The sender's own word stays what it was. */
function severityChange(raw: unknown, path: string, source: (field: string, at: string) => FieldRef): Change {
  const given = isGroup(raw) ? group(raw, path, ['field', 'table']) : { field: raw };
  const at = isGroup(raw) ? `${path}.field` : path;
  const field = source(given['field'] === undefined ? 'severity' : text(given['field'], at), at);
  const table = new Map<string, number>();
  if (given['table'] !== undefined)
    for (const [word, severity, place] of pairs(given['table'], `${path}.table`))
      table.set(word.toLowerCase(), severityNumber(severity, place));
  const number = (word: string): number => table.get(word.toLowerCase()) ?? severityNumberOf(word);
  return (item) => {
    const value = field.get(item);
    if (value === undefined) return false;
    const found = number(value);
    if (found === 0 && table.size > 0) return false;
    item.severityText = value;
    item.severityNumber = found;
    item.changed = true;
    if (!field.isBody && field.name !== 'severity') field.remove(item);
    return true;
  };
}

function severityNumber(word: string, path: string): number {
  const number = /^\d+$/.test(word) ? Number(word) : severityNumberOf(word);
  if (number < 1 || number > 24)
    throw wrong(
      path,
      `is ${shown(word)}`,
      'It must be TRACE, DEBUG, INFO, WARN, ERROR, FATAL or a number from 1 to 24.',
    );
  return number;
}

const removalOf =
  (field: FieldRef): Change =>
  (item) => {
    if (field.get(item) === undefined) return false;
    field.remove(item);
    return true;
  };

/** Attributes by a name that ends in `*`. */
function removal(glob: string): Change {
  const prefix = glob.slice(0, glob.indexOf('*'));
  const suffix = glob.slice(glob.indexOf('*') + 1);
  const fits = (name: string): boolean =>
    name.length >= prefix.length + suffix.length && name.startsWith(prefix) && name.endsWith(suffix);
  return (item) => {
    const kept: string[] = [];
    const { attributes } = item;
    for (let i = 0; i < attributes.length; i += 2)
      if (!fits(attributes[i] as string)) kept.push(attributes[i] as string, attributes[i + 1] as string);
    if (kept.length === attributes.length) return false;
    item.attributes = kept;
    return true;
  };
}
