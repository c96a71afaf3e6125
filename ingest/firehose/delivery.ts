/**
 * What Amazon Data Firehose delivers to an HTTP endpoint, as records: its own data in base64, and within it logs of
 * CloudWatch (gzip), JSON objects or lines. Source: docs.aws.amazon.com/firehose, "HTTP endpoint delivery request and
 * response specifications", and docs.aws.amazon.com/AmazonCloudWatch, "Subscription filters".
 */
import { gunzipSync } from 'node:zlib';
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { type LogRecord, LogweirError, RecordView, recordBytesMax, unknownService } from '#protocol/mod.ts';
import type { Bury } from '../bury.ts';
import { tooLarge } from '../too-large.ts';
import type { Add } from '../intake.ts';
import { conventional } from '../mapping/conventions.ts';
import { isObject, type JsonObject, jsonBytes, parseJson, valueText } from '../mapping/json.ts';
import { jsonSpans } from '../mapping/json-stream.ts';
import { hasKey, recordOfLine, recordOfObject } from '../mapping/object.ts';
import { fillView } from '../mapping/record.ts';
import { resourceOf } from '../mapping/resource.ts';
import { recordsMax, tooManyRecords } from '../otlp/limits.ts';
import type { LineOptions, RecordWithLines } from '../pipeline/gate.ts';

export interface Delivery {
  requestId: string;
  /** Data of each record, unpacked; or why there is none. */
  parts: (Buffer | { reject: string; raw: Buffer })[];
  /** Bytes of all parts. */
  bytes: number;
}

/** What a request says of all its records. */
export interface DeliveryFacts {
  /** Flat name, value list. */
  resource: string[];
  /** Service of records that name none: the stream's name. */
  service: string;
}

const gzipMagic = 0x1f8b;

/** Unpacks everything before the first record is taken. @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
export function readDelivery(body: Buffer, bytesMax: number): Delivery {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw invalid(`it is no JSON: ${(cause as Error).message}`);
  }
  if (!isObject(value) || !Array.isArray(value['records'])) throw invalid('it has no list of records');
  const records = value['records'] as unknown[];
  if (records.length > recordsMax) throw tooManyRecords();
  const delivery: Delivery = { requestId: valueText(value['requestId']), parts: [], bytes: 0 };
  for (const record of records) {
    const data = isObject(record) ? record['data'] : undefined;
    if (typeof data !== 'string') {
      delivery.parts.push({ reject: 'it has no data', raw: jsonBytes(record) });
      continue;
    }
    const part = unpacked(Buffer.from(data, 'base64'), bytesMax - delivery.bytes, bytesMax);
    if (Buffer.isBuffer(part)) delivery.bytes += part.length;
    delivery.parts.push(part);
  }
  return delivery;
}

function unpacked(data: Buffer, roomBytes: number, bytesMax: number): Delivery['parts'][number] {
  if (data.length < 2 || data.readUInt16BE(0) !== gzipMagic) {
    if (data.length > roomBytes) throw tooLarge(bytesMax);
    return data;
  }
  try {
    return gunzipSync(data, { maxOutputLength: Math.max(roomBytes, 1) });
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax, cause);
    return { reject: `malformed: not valid gzip, ${(cause as Error).message}`, raw: data };
  }
}

export interface DeliveryRead {
  rejected: number;
}

export function takeDelivery(
  delivery: Delivery,
  facts: DeliveryFacts,
  add: Add,
  nowMs: number,
  bury: Bury,
): DeliveryRead {
  const read: DeliveryRead = { rejected: 0 };
  const view = new RecordView();
  const fail = (reason: string, raw: Uint8Array): void => {
    read.rejected++;
    bury(reason, raw);
  };
  const take = (
    record: RecordWithLines | { reject: string },
    resource: readonly string[],
    raw: () => Uint8Array,
  ): void => {
    const reason = 'reject' in record ? record.reject : fillView(described(record, resource, facts), nowMs, view);
    if (reason !== '') fail(reason, raw());
    else add(view, 'reject' in record ? undefined : record.raw);
  };
  for (const part of delivery.parts) {
    if (!Buffer.isBuffer(part)) {
      fail(part.reject, part.raw);
      continue;
    }
    const { spans, rest } = part[0] === 0x7b ? jsonSpans(part, recordsMax) : { spans: [], rest: 0 };
    for (const { start, end } of spans) takeJson(part.subarray(start, end), take, nowMs);
    if (rest >= 0 && rest < part.length) takeLines(part.subarray(rest), take, nowMs, add.lines?.(''));
  }
  return read;
}

type Take = (record: RecordWithLines | { reject: string }, resource: readonly string[], raw: () => Uint8Array) => void;

function takeJson(text: Buffer, take: Take, nowMs: number): void {
  let value: unknown;
  try {
    value = parseJson(text.toString('utf8'));
  } catch {
    takeLines(text, take, nowMs);
    return;
  }
  if (isObject(value) && Array.isArray(value['logEvents']) && typeof value['messageType'] === 'string')
    takeCloudWatch(value, take, nowMs);
  else
    take(
      guarded(() => recordOfObject(value, nowMs)),
      [],
      () => text,
    );
}

/** CloudWatch's envelope. Control messages ask whether somebody is there. */
function takeCloudWatch(message: JsonObject, take: Take, nowMs: number): void {
  if (message['messageType'] === 'CONTROL_MESSAGE') return;
  const group = valueText(message['logGroup']);
  const resource = ['cloud.provider', 'aws'];
  const tell = (name: string, value: string): void => {
    if (value !== '') resource.push(name, value);
  };
  tell('cloud.account.id', valueText(message['owner']));
  tell('aws.log.group.names', group);
  tell('aws.log.stream.names', valueText(message['logStream']));
  const service = serviceOfGroup(group);
  for (const event of message['logEvents'] as unknown[]) {
    const raw = (): Buffer => jsonBytes({ ...message, logEvents: [event] });
    if (!isObject(event) || typeof event['message'] !== 'string') {
      take({ reject: 'the event has no message' }, resource, raw);
      continue;
    }
    const record = recordOfLine(event['message'].replace(/\r?\n$/, ''), nowMs);
    const stamp = event['timestamp'];
    if (record.timeMs === undefined && typeof stamp === 'number' && Number.isFinite(stamp))
      record.timeMs = Math.trunc(stamp);
    record.service ||= service;
    const attributes = (record.attributes ??= []);
    if (event['id'] !== undefined) attributes.push('aws.cloudwatch.event_id', valueText(event['id']));
    take(
      guarded(() => {
        if (isObject(event['extractedFields']))
          for (const key in event['extractedFields'])
            attributes.push(
              hasKey(attributes, key) ? `aws.cloudwatch.${key}` : key,
              valueText(event['extractedFields'][key]),
            );
        return record;
      }),
      resource,
      raw,
    );
  }
}

/** `/aws/lambda/checkout` is of checkout; other groups are named as people name them. */
function serviceOfGroup(group: string): string {
  const ofAws = /^\/aws\/[^/]+\/(.+)$/.exec(group);
  return ofAws?.[1] ?? group.replace(/^\/+/, '');
}

function takeLines(text: Buffer, take: Take, nowMs: number, lines: LineOptions = {}): void {
  const parser = new LineParser({ observedMs: nowMs, ...lines });
  const emit = ({ format: _format, lines: _lines, ...parsed }: ParsedRecord): void => {
    const record: RecordWithLines = { ...parsed };
    if (record.service === unknownService) delete record.service;
    take(record, [], () => Buffer.from(record.body));
  };
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf(0x0a, at);
    const end = found < 0 ? text.length : found;
    const line = text.subarray(at, end);
    if (line.length > recordBytesMax)
      take({ reject: `the line has ${line.length} bytes, ${recordBytesMax} are allowed` }, [], () => line);
    else parser.push(line, emit);
    at = end + 1;
  }
  parser.flush(emit);
}

function described(record: LogRecord, resource: readonly string[], facts: DeliveryFacts): LogRecord {
  const pairs = [...(record.resource ?? [])];
  for (const more of [resource, facts.resource])
    for (let i = 0; i < more.length; i += 2)
      if (!hasKey(pairs, more[i] as string)) pairs.push(more[i] as string, more[i + 1] as string);
  const found = resourceOf(pairs, record.service || undefined);
  record.resource = found.pairs ?? undefined;
  record.service = found.service === unknownService && facts.service !== '' ? facts.service : found.service;
  return record;
}

function guarded(make: () => LogRecord | { reject: string }): LogRecord | { reject: string } {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) return { reject: 'it is nested too deep' };
    throw error;
  }
}

const commonAttributesMax = 50;

/** From the headers: who delivers, and what was configured to be said of everything. */
export function deliveryFacts(sourceArn: string, commonAttributes: string): DeliveryFacts {
  const resource: string[] = [];
  let value: unknown;
  try {
    value = JSON.parse(commonAttributes);
  } catch {
    value = undefined;
  }
  const common = isObject(value) ? value['commonAttributes'] : undefined;
  if (isObject(common))
    for (const [name, text] of Object.entries(common).slice(0, commonAttributesMax))
      if (typeof text === 'string') resource.push(conventional(name), text);
  if (sourceArn !== '') resource.push('aws.firehose.arn', sourceArn.slice(0, 512));
  return { resource, service: /:deliverystream\/([\w.-]{1,64})$/.exec(sourceArn)?.[1] ?? '' };
}

function invalid(reason: string): LogweirError {
  return new LogweirError('REQUEST_INVALID', `The delivery cannot be read: ${reason}.`, 'Nothing of it was taken.');
}
