/** JSON lines: one object a line. Nested objects are flattened with dots; numbers and booleans become text. */
import { type LogRecord, recordBytesMax, serviceNameBytesMax } from '#protocol/mod.ts';
import { Draft, type Format } from './draft.ts';
import { FieldMapper } from './fields.ts';
import { char } from './scan.ts';
import { TimeScanner } from './time.ts';

/** Objects nested deeper than this stay JSON text. */
const depthMax = 6;

type Add = (name: string, text: string, isNumber: boolean) => void;

/** Fields of an object, those within others by a name with dots. @throws RangeError where it is nested thousands deep */
export function flattenJson(object: Record<string, unknown>, add: Add): void {
  addFields(add, '', object, 0);
}

function addFields(add: Add, prefix: string, object: Record<string, unknown>, depth: number): void {
  for (const key in object) {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    const value = object[key];
    switch (typeof value) {
      case 'string':
        add(name, value, false);
        break;
      case 'number':
        add(name, String(value), true);
        break;
      case 'boolean':
      case 'bigint':
        add(name, String(value), false);
        break;
      case 'object':
        if (value === null) add(name, '', false);
        else if (Array.isArray(value) || depth >= depthMax) add(name, JSON.stringify(value), false);
        else addFields(add, name, value as Record<string, unknown>, depth + 1);
        break;
      default:
        break;
    }
  }
}

const mapper = new FieldMapper();
const addToMapper: Add = (name, text, isNumber) => mapper.add(name, text, isNumber);

function fill(
  draft: Draft,
  object: Record<string, unknown>,
  time: TimeScanner,
  raw: string | undefined,
  timed = false,
): boolean {
  mapper.clear();
  flattenJson(object, addToMapper);
  if (mapper.size === 0) return false;
  const needsRaw = !mapper.has('body');
  mapper.apply(draft, time, raw ?? (needsRaw ? JSON.stringify(object) : ''), timed);
  if (draft.body === '') draft.body = raw ?? JSON.stringify(object);
  // log4j2's JSON layout: instant {epochSecond, nanoOfSecond}
  if (draft.timeMs === undefined && !timed) instantOf(draft, object, time);
  return true;
}

function instantOf(draft: Draft, object: Record<string, unknown>, time: TimeScanner): void {
  const { instant } = object as { instant?: { epochSecond?: unknown; nanoOfSecond?: unknown } | null };
  if (typeof instant !== 'object' || instant === null || typeof instant.epochSecond !== 'number') return;
  if (!time.fromNumber(instant.epochSecond)) return;
  const nanoseconds = typeof instant.nanoOfSecond === 'number' ? instant.nanoOfSecond : 0;
  if (!(nanoseconds >= 0 && nanoseconds < 1e9)) return;
  draft.timeMs = time.timeMs + Math.floor(nanoseconds / 1e6);
  draft.subNs = Math.floor(nanoseconds % 1e6);
}

export const json: Format = (text, draft, context) => {
  let start = 0;
  while (text.charCodeAt(start) <= char.space) start++;
  if (text.charCodeAt(start) !== char.braceOpen) return false;
  let end = text.length;
  while (text.charCodeAt(end - 1) <= char.space) end--;
  if (text.charCodeAt(end - 1) !== char.braceClose) return false;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  draft.reset('json');
  try {
    return fill(draft, value as Record<string, unknown>, context.time, text);
  } catch {
    // Thousands of brackets within each other can be parsed, but not written as text again.
    return false;
  }
};

/**
 * One NDJSON object as a record: the mapping of `/ingest` for objects that its byte scanner leaves alone. A stamp that
 * cannot be read stays an attribute and the record has no time. `rejected` only for what is not an object, holds
 * nothing, or is over `recordBytesMax`.
 */
export function parseJsonObject(
  value: unknown,
  options: {
    observedMs: number;
    utcOffsetMinutes?: number;
    /** The envelope says the time: fields that look like one stay attributes, and the record has none. */
    timed?: boolean;
  },
): LogRecord | { reject: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      reject: `expected a JSON object, found ${Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`}`,
    };
  }
  const draft = new Draft();
  draft.reset('json');
  const time = new TimeScanner(options.observedMs, options.utcOffsetMinutes ?? 0);
  try {
    if (!fill(draft, value as Record<string, unknown>, time, undefined, options.timed))
      return { reject: 'the object has no fields' };
  } catch {
    return { reject: 'the object is nested too deep' };
  }
  const bytes = Buffer.byteLength(draft.body);
  if (bytes > recordBytesMax) return { reject: `the body has ${bytes} bytes, ${recordBytesMax} are allowed` };
  const {
    format: _format,
    lines: _lines,
    ...record
  } = draft.finish(draft.service, draft.host === '' ? undefined : ['host.name', draft.host]);
  record.service = draft.service === '' ? undefined : cutService(draft.service);
  return record;
}

/** A service name within its limit, cut at a character. */
export function cutService(name: string): string {
  if (name.length * 3 <= serviceNameBytesMax || Buffer.byteLength(name) <= serviceNameBytesMax) return name;
  let cut = Buffer.from(name).subarray(0, serviceNameBytesMax).toString('utf8');
  while (cut.endsWith('\ufffd') && !name.startsWith(cut)) cut = cut.slice(0, -1);
  return cut;
}
