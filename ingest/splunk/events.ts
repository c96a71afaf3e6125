/** Events of Splunk's HTTP Event Collector to records. Source: help.splunk.com, "Format events for HTTP Event Collector". */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { type LogRecord, RecordView, recordBytesMax, severityNumberOf, unknownService } from '#protocol/mod.ts';
import { type Bury, noBury } from '../bury.ts';
import type { Add } from '../intake.ts';
import { isObject, jsonBytes, type JsonObject, parseJson, valueText, numberOf } from '../mapping/json.ts';
import { hasKey, recordOfLine, recordOfObject } from '../mapping/object.ts';
import { fillView } from '../mapping/record.ts';
import { resourceOf } from '../mapping/resource.ts';
import { checkLines, recordsMax, tooManyRecords } from '../otlp/limits.ts';
import { jsonSpans } from '../mapping/json-stream.ts';

/** What a request says of all its events, in its query. */
export interface Metadata {
  host: string;
  source: string;
  sourcetype: string;
  index: string;
}

export interface EventsRead {
  rejected: number;
  taken: number;
  /** The first event that could not be taken, from 0, and HEC's code for it; -1 = none. */
  invalidEvent: number;
  code: number;
  reason: string;
}

/** HEC's codes. Source: help.splunk.com, "Possible error codes" of the HTTP Event Collector. */
export const hecCode = { noData: 5, invalidFormat: 6, eventMissing: 12, eventBlank: 13, rejected: 6 } as const;

/** Source types that say how an event came, not what it is of. */
const genericTypes = new Set([
  '',
  '_json',
  'json',
  'httpevent',
  'generic_single_line',
  'manual',
  'access_combined',
  'syslog',
]);

/** @throws LogweirError BODY_TOO_LARGE */
export function readEvents(body: Buffer, metadata: Metadata, add: Add, nowMs: number, bury: Bury = noBury): EventsRead {
  const read: EventsRead = { rejected: 0, taken: 0, invalidEvent: -1, code: 0, reason: '' };
  const { spans, rest, tooMany } = jsonSpans(body, recordsMax);
  if (tooMany) throw tooManyRecords();
  const view = new RecordView();
  let index = 0;
  const fail = (code: number, reason: string, bytes: Uint8Array): void => {
    bury(reason, bytes);
    read.rejected++;
    if (read.invalidEvent < 0) Object.assign(read, { invalidEvent: index, code, reason });
    index++;
  };
  const take = (value: unknown, bytes: () => Uint8Array): void => {
    if (index >= recordsMax) return fail(hecCode.rejected, `it is over ${recordsMax} events`, bytes());
    const found = recordOfEvent(value, metadata, nowMs);
    const reason = 'reject' in found ? found.reject : fillView(found, nowMs, view);
    if ('reject' in found || reason !== '')
      return fail('code' in found ? found.code : hecCode.rejected, reason, bytes());
    add(view);
    read.taken++;
    index++;
  };
  for (const { start, end } of spans) {
    const bytes = (): Uint8Array => body.subarray(start, end);
    if (end - start > 4 * recordBytesMax && body[start] !== 0x5b) {
      fail(hecCode.rejected, `it has ${end - start} bytes, ${recordBytesMax} are allowed`, bytes());
      continue;
    }
    let value: unknown;
    try {
      value = parseJson(body.toString('utf8', start, end));
    } catch (error) {
      fail(hecCode.invalidFormat, (error as Error).message, bytes());
      continue;
    }
    if (!Array.isArray(value)) take(value, bytes);
    else for (const one of value as unknown[]) take(one, () => jsonBytes(one));
  }
  if (rest >= 0) fail(hecCode.invalidFormat, `no whole JSON object begins at byte ${rest}`, body.subarray(rest));
  return read;
}

function recordOfEvent(
  value: unknown,
  metadata: Metadata,
  nowMs: number,
): LogRecord | { reject: string; code: number } {
  if (!isObject(value)) return { reject: 'it is no object', code: hecCode.invalidFormat };
  const { event } = value;
  if (event === undefined || event === null) return { reject: 'it has no event', code: hecCode.eventMissing };
  if (event === '') return { reject: 'its event is blank', code: hecCode.eventBlank };
  try {
    const record = isObject(event) ? recordOfObject(withMessage(event), nowMs) : recordOfLine(valueText(event), nowMs);
    if ('reject' in record) return { reject: record.reject, code: hecCode.rejected };
    const resource: string[] = [...(record.resource ?? [])];
    const attributes = (record.attributes ??= []);
    if (isObject(value['fields'])) applyFields(record, value['fields'], attributes, resource, nowMs);
    applyTime(record, value['time'], attributes, nowMs);
    for (const key in value) if (!eventKeys.has(key)) attributes.push(key, valueText(value[key]));
    return describe(record, resource, {
      host: textOr(value, 'host', metadata.host),
      source: textOr(value, 'source', metadata.source),
      sourcetype: textOr(value, 'sourcetype', metadata.sourcetype),
      index: textOr(value, 'index', metadata.index),
    });
  } catch (error) {
    if (error instanceof RangeError) return { reject: 'it is nested too deep', code: hecCode.rejected };
    throw error;
  }
}

/** Docker's driver calls the message `line`; splunk-logging and what stands on it put what was logged into `message`, beside a severity. */
function withMessage(event: JsonObject): JsonObject {
  const { line, ...others } = event;
  if (isObject(event['message'])) {
    const { message, ...beside } = event;
    return { ...beside, ...message };
  }
  return typeof line === 'string' && others['message'] === undefined ? { ...others, message: line } : event;
}

const eventKeys = new Set(['event', 'time', 'fields', 'host', 'source', 'sourcetype', 'index']);

const textOr = (object: JsonObject, key: string, fallback: string): string => valueText(object[key]) || fallback;

/** Fields stand beside the event; what they say of service, level and trace counts where the event says nothing. */
function applyFields(
  record: LogRecord,
  fields: JsonObject,
  attributes: string[],
  resource: string[],
  nowMs: number,
): void {
  const { 'otel.log.severity.text': severityText, 'otel.log.severity.number': severityNumber, ...others } = fields;
  // A body of their own keeps `message` among the fields from being taken for one.
  const found = recordOfObject({ ...others, body: '-' }, nowMs);
  if (!('reject' in found)) {
    if (found.service !== undefined) record.service = found.service;
    if ((record.traceId ?? '') === '') record.traceId = found.traceId;
    if ((record.spanId ?? '') === '') record.spanId = found.spanId;
    if (found.severityText !== '') {
      if (record.severityText === '') {
        record.severityText = found.severityText;
        record.severityNumber = found.severityNumber;
      } else attributes.push('log.level', found.severityText);
    }
    attributes.push(...(found.attributes ?? []));
    resource.push(...(found.resource ?? []));
  }
  const text = valueText(severityText);
  const number = numberOf(severityNumber);
  if (text !== '') record.severityText = text;
  if (Number.isInteger(number) && number >= 0 && number <= 24) record.severityNumber = number;
  else if (text !== '') record.severityNumber = severityNumberOf(text);
}

/** Seconds since 1970, as a number or as text; the envelope's time is surer than one within the event. */
function applyTime(record: LogRecord, time: unknown, attributes: string[], nowMs: number): void {
  const text = valueText(time);
  if (text === '') return;
  const read = recordOfObject({ timestamp: text, body: '-' }, nowMs);
  if ('reject' in read || read.timeMs === undefined) attributes.push('time', text);
  else {
    record.timeMs = read.timeMs;
    record.timeSubNs = read.timeSubNs;
  }
}

function describe(record: LogRecord, resource: string[], { host, source, sourcetype, index }: Metadata): LogRecord {
  if (host !== '' && !hasKey(resource, 'host.name')) resource.push('host.name', host);
  else if (host !== '' && !resource.includes(host)) resource.push('com.splunk.host', host);
  // The names that OpenTelemetry's own Splunk receiver gives them.
  if (source !== '') resource.push('com.splunk.source', source);
  if (sourcetype !== '') resource.push('com.splunk.sourcetype', sourcetype);
  if (index !== '') resource.push('com.splunk.index', index);
  const { service, pairs } = resourceOf(resource, record.service);
  record.resource = pairs ?? undefined;
  record.service =
    service === unknownService && !genericTypes.has(sourcetype) ? resourceOf([], sourcetype).service : service;
  return record;
}

/** `/raw`: lines, in whatever format they are. @throws LogweirError BODY_TOO_LARGE */
export function readRaw(body: Buffer, metadata: Metadata, add: Add, nowMs: number, bury: Bury = noBury): EventsRead {
  checkLines(body);
  const read: EventsRead = { rejected: 0, taken: 0, invalidEvent: -1, code: 0, reason: '' };
  const view = new RecordView();
  const parser = new LineParser({ observedMs: nowMs, ...add.lines?.('') });
  let line = 0;
  const fail = (reason: string, bytes: Uint8Array): void => {
    bury(reason, bytes);
    read.rejected++;
    if (read.invalidEvent < 0) Object.assign(read, { invalidEvent: line, code: hecCode.rejected, reason });
  };
  const emit = ({ format: _format, lines: _lines, raw, ...parsed }: ParsedRecord): void => {
    const record: LogRecord = { ...parsed };
    if (record.service === '' || record.service === unknownService) delete record.service;
    const reason = fillView(describe(record, [...(record.resource ?? [])], metadata), nowMs, view);
    if (reason !== '') return fail(reason, Buffer.from(parsed.body));
    add(view, raw);
    read.taken++;
  };
  for (let at = 0; at < body.length; line++) {
    const found = body.indexOf(0x0a, at);
    const end = found < 0 ? body.length : found;
    if (end - at > recordBytesMax)
      fail(`the line has ${end - at} bytes, ${recordBytesMax} are allowed`, body.subarray(at, end));
    else parser.push(body.subarray(at, end), emit);
    at = end + 1;
  }
  parser.flush(emit);
  return read;
}
