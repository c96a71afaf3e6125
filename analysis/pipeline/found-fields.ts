/** Fields that a step found in a record, put where they belong. */
import { Draft, FieldMapper, type RawLines, TimeScanner } from '#analysis/formats/mod.ts';
import type { FieldRef } from './field.ts';
import type { Item } from './item.ts';

const mapper = new FieldMapper();
const draft = new Draft();

export interface FoundFields {
  names: readonly string[];
  values: readonly string[];
}

/**
 * Names that a step of the pipeline asks for: they stay attributes, or the time of `timestamp: { field: ts }` would have been read,
 * and be gone, before that step sees it.
 */
export type HeldNames = ReadonlySet<string>;

/**
 * Fields of the line or the body take the roles that their names have everywhere (time, severity, service, body, trace, host); of
 * any other field they are attributes, as are all where a prefix is given.
 */
export function putFields(item: Item, found: FoundFields, from: FieldRef, prefix: string, held: HeldNames): void {
  const { names, values } = found;
  if (!from.isBody || prefix !== '') {
    for (let i = 0; i < names.length; i++) item.setAttribute(prefix + (names[i] as string), values[i] as string);
    return;
  }
  const hasBody = fill(found, item, held);
  takeRoles(item);
  const { attributes } = draft;
  for (let i = 0; i < attributes.length; i += 2)
    item.setAttribute(attributes[i] as string, attributes[i + 1] as string);
  if (hasBody) item.body = draft.body;
}

/** The same for a line that is read anew: what a built-in format made of it is gone, but for what the fields do not say. */
export function putLine(item: Item, found: FoundFields, lines: RawLines, held: HeldNames): void {
  const { head, tail, serviceElse, wrapper = [] } = lines;
  const hasBody = fill(found, item, held);
  if (draft.service === '') draft.service = serviceElse;
  takeRoles(item);
  const { attributes } = draft;
  for (const name of wrapper) {
    const value = item.attribute(name);
    if (value !== undefined && !attributes.includes(name)) attributes.push(name, value);
  }
  item.attributes = attributes;
  const body = hasBody ? draft.body : head;
  item.body = tail === '' ? body : `${body}\n${tail}`;
}

/** Into the draft; true where one of them is the body. */
function fill({ names, values }: FoundFields, item: Item, held: HeldNames): boolean {
  mapper.clear();
  for (let i = 0; i < names.length; i++)
    if (!held.has(names[i] as string)) mapper.add(names[i] as string, values[i] as string, false);
  const hasBody = mapper.has('body');
  draft.reset('');
  mapper.apply(draft, new TimeScanner(item.origin.nowMs), '');
  if (held.size > 0)
    for (let i = 0; i < names.length; i++)
      if (held.has(names[i] as string)) draft.attribute(names[i] as string, values[i] as string);
  return hasBody && draft.body !== '';
}

function takeRoles(item: Item): void {
  if (draft.timeMs !== undefined) item.setTime(draft.timeMs, draft.subNs, draft.zoneAssumedMinutes);
  if (draft.severityText !== '' || draft.severityNumber > 0) {
    item.severityText = draft.severityText;
    item.severityNumber = Math.max(draft.severityNumber, 0);
  }
  if (draft.service !== '' && !item.serviceGiven) item.service = draft.service;
  if (draft.traceId !== '') item.traceId = draft.traceId;
  if (draft.spanId !== '') item.spanId = draft.spanId;
  if (draft.traceFlags !== 0) item.traceFlags = draft.traceFlags;
  if (draft.host !== '') item.setResource('host.name', draft.host);
  item.changed = true;
}
