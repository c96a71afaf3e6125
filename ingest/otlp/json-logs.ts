/**
 * ExportLogsServiceRequest in OTLP's JSON: ids in hex, 64-bit numbers as strings or numbers, enums as numbers.
 * Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding".
 */
import { eventTimeMsMax, LogweirError, type LogRecord, severityNumberOf } from '#protocol/mod.ts';
import { isObject, jsonBytes, type JsonObject, parseJson, valueText, numberOf } from '../mapping/json.ts';
import { type Resource, resourceOf } from '../mapping/resource.ts';
import { anyValueDepthMax } from './any-value.ts';
import { envelopeBytesMax } from './envelope.ts';
import { observedOf, recordsMax, resourceBytesMax, scopePairs, tooManyRecords } from './limits.ts';

/** `raw`: the record as JSON again. `alone`: a request with it alone, null where what is around it is too large for that. */
export type JsonLog = ({ record: LogRecord; observedMs: number } | { reject: string }) & {
  raw: () => Buffer;
  alone: () => (() => Buffer) | null;
};

type Taken = { record: LogRecord; observedMs: number } | { reject: string };

/**
 * The records of a request in order.
 * @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE
 */
export function jsonLogs(body: Buffer, nowMs: number): JsonLog[] {
  let request: unknown;
  try {
    request = parseJson(body.toString('utf8'));
  } catch (cause) {
    throw invalid(`no JSON: ${(cause as Error).message}`);
  }
  if (!isObject(request)) throw invalid('no JSON object');
  const logs: JsonLog[] = [];
  for (const resourceLogs of objects(request, 'resourceLogs', 'resource_logs')) {
    const resource = resourceIn(resourceLogs);
    for (const scopeLogs of objects(resourceLogs, 'scopeLogs', 'scope_logs')) {
      const scope = isObject(scopeLogs['scope']) ? scopeLogs['scope'] : {};
      const name = textIn(scope, 'name');
      const version = textIn(scope, 'version');
      const pair: [string, string] | undefined = name === '' && version === '' ? undefined : [name, version];
      const scopeAttributes = scopePairs(attributesIn(scope), textIn(scopeLogs, 'schemaUrl', 'schema_url'));
      const records = listIn(scopeLogs, 'logRecords', 'log_records');
      if (logs.length + records.length > recordsMax) throw tooManyRecords();
      let room: boolean | undefined;
      const hasRoom = (): boolean =>
        (room ??= jsonBytes(requestOf(resourceLogs, scopeLogs, null)).length <= envelopeBytesMax);
      for (const record of records) {
        const raw = (): Buffer => jsonBytes(record);
        const alone = (): (() => Buffer) | null =>
          hasRoom() ? () => jsonBytes(requestOf(resourceLogs, scopeLogs, record)) : null;
        logs.push({ ...take(record, resource, pair, scopeAttributes, nowMs), raw, alone });
      }
    }
  }
  return logs;
}

/** The request that a record came in, without the others. */
function requestOf(resourceLogs: JsonObject, scopeLogs: JsonObject, record: unknown): object {
  const { resource } = resourceLogs;
  const { scope } = scopeLogs;
  const scopeUrl = field(scopeLogs, 'schemaUrl', 'schema_url');
  const schemaUrl = field(resourceLogs, 'schemaUrl', 'schema_url');
  return {
    resourceLogs: [{ resource, schemaUrl, scopeLogs: [{ scope, schemaUrl: scopeUrl, logRecords: [record] }] }],
  };
}

function take(
  value: unknown,
  resource: Resource | string,
  scope: [string, string] | undefined,
  scopeAttributes: string[],
  nowMs: number,
): Taken {
  if (typeof resource === 'string') return { reject: resource };
  if (!isObject(value)) return { reject: 'it is no object' };
  try {
    return recordOf(value, resource, scope, scopeAttributes, nowMs);
  } catch (error) {
    if (error instanceof RangeError) return { reject: `a value is nested deeper than ${anyValueDepthMax}` };
    throw error;
  }
}

function recordOf(
  value: JsonObject,
  { service, pairs }: Resource,
  scope: [string, string] | undefined,
  scopeAttributes: string[],
  nowMs: number,
): Taken {
  const attributes = attributesIn(value);
  const add = (key: string, text: string): void => {
    if (text !== '') attributes.push(key, text);
  };
  const time = nanoseconds(field(value, 'timeUnixNano', 'time_unix_nano'));
  const observed = nanoseconds(field(value, 'observedTimeUnixNano', 'observed_time_unix_nano'));
  if (time === 'unreadable') add('time_unix_nano', valueText(field(value, 'timeUnixNano', 'time_unix_nano')));
  const event = typeof time === 'object' ? time : typeof observed === 'object' ? observed : undefined;
  const observedMs = observedOf(typeof observed === 'object' ? observed.ms : -1, nowMs);
  if (typeof time === 'object' && typeof observed === 'object' && observed.ms !== observedMs)
    add('observed_time_unix_ms', String(observed.ms));
  const severityText = textIn(value, 'severityText', 'severity_text');
  const sent = field(value, 'severityNumber', 'severity_number');
  let severityNumber = numberOfSeverity(sent);
  if (severityNumber < 0) {
    add('severity_number', valueText(sent));
    severityNumber = 0;
  }
  const traceId = idIn(value, 32, 'traceId', 'trace_id');
  const spanId = idIn(value, 16, 'spanId', 'span_id');
  if (traceId === undefined) add('trace_id', valueText(field(value, 'traceId', 'trace_id')));
  if (spanId === undefined) add('span_id', valueText(field(value, 'spanId', 'span_id')));
  const flags = numberOf(value['flags'] ?? 0);
  const dropped = valueText(field(value, 'droppedAttributesCount', 'dropped_attributes_count'));
  if (dropped !== '0') add('otel.dropped_attributes_count', dropped);
  add('event.name', textIn(value, 'eventName', 'event_name'));
  attributes.push(...scopeAttributes);
  for (const key in value) if (!fieldNames.has(key)) add(key, valueText(value[key]));
  return {
    observedMs,
    record: {
      timeMs: event?.ms,
      timeSubNs: event?.subNs,
      severityNumber: severityNumber === 0 ? severityNumberOf(severityText) : severityNumber,
      severityText,
      service,
      body: anyText(value['body'], 0),
      traceId: traceId ?? '',
      spanId: spanId ?? '',
      traceFlags: Number.isInteger(flags) ? flags & 0xff : 0,
      attributes,
      resource: pairs ?? undefined,
      scope,
    },
  };
}

const fieldNames = new Set(
  [
    ['timeUnixNano', 'time_unix_nano', 'observedTimeUnixNano', 'observed_time_unix_nano'],
    ['severityNumber', 'severity_number', 'severityText', 'severity_text', 'body', 'attributes', 'flags'],
    ['droppedAttributesCount', 'dropped_attributes_count', 'eventName', 'event_name'],
    ['traceId', 'trace_id', 'spanId', 'span_id'],
  ].flat(),
);

/** The resource, or why none of its records can be taken. */
function resourceIn(resourceLogs: JsonObject): Resource | string {
  const resource = isObject(resourceLogs['resource']) ? resourceLogs['resource'] : {};
  const schemaUrl = textIn(resourceLogs, 'schemaUrl', 'schema_url');
  const pairs = attributesIn(resource);
  const bytes = pairs.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  if (bytes > resourceBytesMax) return `its resource has ${bytes} bytes, ${resourceBytesMax} are allowed`;
  if (schemaUrl !== '') pairs.push('otel.schema_url', schemaUrl.slice(0, 1024));
  return resourceOf(pairs);
}

function attributesIn(object: JsonObject): string[] {
  const pairs: string[] = [];
  for (const attribute of objects(object, 'attributes')) {
    let text: string;
    try {
      text = anyText(attribute['value'], 0);
    } catch {
      // One attribute that nests too deep does not cost the others.
      text = `(nested deeper than ${anyValueDepthMax})`;
    }
    pairs.push(textIn(attribute, 'key'), text);
  }
  return pairs;
}

/** An AnyValue as text: what is no string as JSON would write it. @throws RangeError */
function anyText(value: unknown, depth: number): string {
  const plain = plainOf(value, depth);
  return valueText(plain);
}

function plainOf(value: unknown, depth: number): unknown {
  if (depth > anyValueDepthMax) throw new RangeError('nested too deep');
  if (!isObject(value)) return value ?? null;
  const number = field(value, 'intValue', 'int_value') ?? field(value, 'doubleValue', 'double_value');
  if (number !== undefined) {
    const exact = numberOf(number);
    return depth > 0 && typeof number === 'string' && Number.isSafeInteger(exact) ? exact : number;
  }
  const text = field(value, 'stringValue', 'string_value') ?? field(value, 'bytesValue', 'bytes_value');
  if (text !== undefined) return text;
  const bool = field(value, 'boolValue', 'bool_value');
  if (bool !== undefined) return bool;
  const array = field(value, 'arrayValue', 'array_value');
  if (isObject(array)) return listIn(array, 'values').map((item) => plainOf(item, depth + 1));
  const map = field(value, 'kvlistValue', 'kvlist_value');
  if (!isObject(map)) return null;
  const result = Object.create(null) as Record<string, unknown>;
  for (const pair of objects(map, 'values')) result[textIn(pair, 'key')] = plainOf(pair['value'], depth + 1);
  return result;
}

function numberOfSeverity(sent: unknown): number {
  if (sent === undefined || sent === null) return 0;
  if (typeof sent === 'string' && sent.startsWith('SEVERITY_NUMBER_')) return severityNumberOf(sent.slice(16));
  const number = numberOf(sent);
  return Number.isInteger(number) && number >= 0 && number <= 24 ? number : -1;
}

/** '' where there is none; undefined where it is no id. */
function idIn(object: JsonObject, digits: number, ...names: string[]): string | undefined {
  const id = textIn(object, ...names).toLowerCase();
  if (id === '' || /^0+$/.test(id)) return '';
  return id.length === digits && /^[0-9a-f]+$/.test(id) ? id : undefined;
}

function nanoseconds(value: unknown): { ms: number; subNs: number } | 'none' | 'unreadable' {
  if (value === undefined || value === null || value === '') return 'none';
  const text = valueText(value);
  if (!/^\d{1,20}$/.test(text)) return 'unreadable';
  const whole = BigInt(text);
  if (whole === 0n) return 'none';
  const ms = Number(whole / 1_000_000n);
  return ms > eventTimeMsMax ? 'unreadable' : { ms, subNs: Number(whole % 1_000_000n) };
}

function field(object: JsonObject, ...names: string[]): unknown {
  for (const name of names) if (object[name] !== undefined && object[name] !== null) return object[name];
  return undefined;
}

function textIn(object: JsonObject, ...names: string[]): string {
  const value = field(object, ...names);
  return typeof value === 'string' ? value : valueText(value);
}

function listIn(object: JsonObject, ...names: string[]): readonly unknown[] {
  const value = field(object, ...names);
  return Array.isArray(value) ? (value as unknown[]) : [];
}

const objects = (object: JsonObject, ...names: string[]): readonly JsonObject[] =>
  listIn(object, ...names).filter(isObject);

function invalid(what: string): LogweirError {
  return new LogweirError(
    'REQUEST_INVALID',
    `The body is no ExportLogsServiceRequest: ${what}.`,
    'Nothing of it was taken. Check that Content-Type says what the body is.',
  );
}
