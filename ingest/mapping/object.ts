/** A log event that is a JSON object, or a line that holds one, as a record in OpenTelemetry's words. */
import { parseJsonObject } from '#analysis/formats/mod.ts';
import type { LogRecord } from '#protocol/mod.ts';
import { conventional, isOfResource } from './conventions.ts';
import { isObject, parseJson } from './json.ts';
import { resourceOf } from './resource.ts';

/**
 * The record of an object: roles (time, level, body, service, trace, host) by the names in common use, everything else an
 * attribute under OpenTelemetry's name, or one of the resource where it tells what sends.
 */
export function recordOfObject(value: unknown, nowMs: number): LogRecord | { reject: string } {
  const record = parseJsonObject(value, { observedMs: nowMs });
  if ('reject' in record) return record;
  const { attributes = [] } = record;
  const kept: string[] = [];
  const resource: string[] = [...(record.resource ?? [])];
  for (let i = 0; i < attributes.length; i += 2) {
    const name = attributes[i] as string;
    let to = conventional(name);
    const target = isOfResource(to) ? resource : kept;
    // Two names for one thing: the first has it, the other keeps its own.
    if (to !== name && hasKey(target, to)) to = name;
    target.push(to, attributes[i + 1] as string);
  }
  record.attributes = kept;
  if (resource.length > 0) {
    const { service, pairs } = resourceOf(resource, record.service ?? '');
    record.resource = pairs ?? undefined;
    if (record.service === undefined && service !== '') record.service = service;
  }
  return record;
}

/** The record of a line: of the object that it holds, or the line as it is. */
export function recordOfLine(line: string, nowMs: number): LogRecord {
  if (line.startsWith('{') && line.trimEnd().endsWith('}')) {
    try {
      const value = parseJson(line);
      const record = isObject(value) ? recordOfObject(value, nowMs) : { reject: 'no object' };
      if (!('reject' in record)) return record;
    } catch {
      // Then it is text.
    }
  }
  return { body: line, severityNumber: 0, severityText: '' };
}

export function hasKey(pairs: readonly string[], key: string): boolean {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === key) return true;
  return false;
}
