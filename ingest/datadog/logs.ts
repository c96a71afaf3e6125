/** What Datadog's agent and its clients send to the log intake, as records. Source: docs.datadoghq.com/api/latest/logs. */
import { cutService } from '#analysis/formats/mod.ts';
import { type LogRecord, LogweirError, RecordView, recordBytesMax, severityNumberOf } from '#protocol/mod.ts';
import type { Bury } from '../bury.ts';
import type { Add } from '../intake.ts';
import { isObject, type JsonObject, jsonBytes, parseJson, valueText } from '../mapping/json.ts';
import { jsonSpans } from '../mapping/json-stream.ts';
import { hasKey, recordOfLine, recordOfObject } from '../mapping/object.ts';
import { fillView } from '../mapping/record.ts';
import { resourceOf } from '../mapping/resource.ts';
import { recordsMax, tooManyRecords } from '../otlp/limits.ts';

/** Reserved attributes: of a log, or of a whole request in its query. */
export interface Reserved {
  service: string;
  hostname: string;
  ddsource: string;
  ddtags: string;
}

export interface LogsRead {
  taken: number;
  rejected: number;
  /** Why the first was not taken, and which it was, from 0. */
  reason: string;
  index: number;
}

/** Tags of Datadog by OpenTelemetry's names. Source: docs.datadoghq.com, "OpenTelemetry semantic mapping". */
const tagNames: ReadonlyMap<string, string> = new Map([
  ['env', 'deployment.environment.name'],
  ['version', 'service.version'],
  ['host', 'host.name'],
  ['container_id', 'container.id'],
  ['container_name', 'container.name'],
  ['image_name', 'container.image.name'],
  ['image_tag', 'container.image.tags'],
  ['kube_cluster_name', 'k8s.cluster.name'],
  ['kube_namespace', 'k8s.namespace.name'],
  ['pod_name', 'k8s.pod.name'],
  ['kube_container_name', 'k8s.container.name'],
  ['kube_deployment', 'k8s.deployment.name'],
  ['kube_daemon_set', 'k8s.daemonset.name'],
  ['kube_stateful_set', 'k8s.statefulset.name'],
  ['kube_cronjob', 'k8s.cronjob.name'],
  ['kube_job', 'k8s.job.name'],
  ['kube_node', 'k8s.node.name'],
  ['cloud_provider', 'cloud.provider'],
  ['region', 'cloud.region'],
  ['availability-zone', 'cloud.availability_zone'],
]);
const reservedKeys = new Set(['message', 'status', 'service', 'hostname', 'ddsource', 'ddtags']);
/** Sources that say what wrote a log rather than which service. */
const genericSources = new Set([
  '',
  'nodejs',
  'java',
  'python',
  'go',
  'ruby',
  'php',
  'csharp',
  'docker',
  'container',
  'syslog',
  'undefined',
]);

/** Lists of logs, single ones, and one behind the other. @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
export function readJsonLogs(body: Buffer, reserved: Reserved, add: Add, nowMs: number, bury: Bury): LogsRead {
  const { spans, rest, tooMany } = jsonSpans(body, recordsMax);
  if (tooMany) throw tooManyRecords();
  if (rest >= 0) throw invalid(`no whole JSON object or list begins at byte ${rest}`);
  const values = spans.map(({ start, end }) => {
    try {
      return parseJson(body.toString('utf8', start, end));
    } catch (error) {
      throw invalid(`what begins at byte ${start} is no JSON: ${(error as Error).message}`);
    }
  });
  const logs = values.flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : [value]));
  if (logs.length > recordsMax) throw tooManyRecords();
  const into = new Into(add, nowMs, bury);
  for (const log of logs) {
    // The agent's question whether somebody is there.
    if (isObject(log) && Object.keys(log).length === 0) continue;
    into.take(
      () => recordOfLog(log, reserved, nowMs),
      () => jsonBytes(log),
    );
  }
  return into.read;
}

/** Lines of text, each a log. */
export function readTextLogs(body: Buffer, reserved: Reserved, add: Add, nowMs: number, bury: Bury): LogsRead {
  const into = new Into(add, nowMs, bury);
  for (let at = 0; at < body.length; ) {
    const found = body.indexOf(0x0a, at);
    const end = found < 0 ? body.length : found;
    const line = body.subarray(at, end > at && body[end - 1] === 0x0d ? end - 1 : end);
    at = end + 1;
    if (line.length === 0) continue;
    into.take(
      () =>
        line.length > recordBytesMax
          ? { reject: `the line has ${line.length} bytes, ${recordBytesMax} are allowed` }
          : described(recordOfLine(line.toString('utf8'), nowMs), reserved),
      () => line,
    );
  }
  return into.read;
}

class Into {
  readonly read: LogsRead = { taken: 0, rejected: 0, reason: '', index: -1 };
  private readonly view = new RecordView();
  private readonly add: Add;
  private readonly nowMs: number;
  private readonly bury: Bury;

  constructor(add: Add, nowMs: number, bury: Bury) {
    this.add = add;
    this.nowMs = nowMs;
    this.bury = bury;
  }

  take(make: () => LogRecord | { reject: string }, raw: () => Uint8Array): void {
    const { read } = this;
    let record: LogRecord | { reject: string };
    try {
      record = make();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      record = { reject: 'it is nested too deep' };
    }
    const reason = 'reject' in record ? record.reject : fillView(record, this.nowMs, this.view);
    if (reason === '') {
      this.add(this.view);
      read.taken++;
      return;
    }
    if (read.index < 0) Object.assign(read, { reason, index: read.taken + read.rejected });
    read.rejected++;
    this.bury(reason, raw());
  }
}

function recordOfLog(log: unknown, reserved: Reserved, nowMs: number): LogRecord | { reject: string } {
  if (!isObject(log)) return { reject: 'it is no object' };
  const others: Record<string, unknown> = {};
  for (const key in log) if (!reservedKeys.has(key)) others[key] = log[key];
  const message = log['message'];
  const record = messageRecord(message, others, nowMs);
  if ('reject' in record) return record;
  setStatus(record, valueText(log['status']));
  const textOf = (key: keyof Reserved): string => valueText(log[key]) || reserved[key];
  const ddtags = [reserved.ddtags, tagsText(log['ddtags'])].filter((text) => text !== '').join(',');
  return described(record, {
    service: textOf('service'),
    hostname: textOf('hostname'),
    ddsource: textOf('ddsource'),
    ddtags,
  });
}

/** The message, which may be JSON itself, together with the fields beside it; what the message says goes first. */
function messageRecord(message: unknown, others: JsonObject, nowMs: number): LogRecord | { reject: string } {
  if (message === undefined || message === null) return recordOfObject(others, nowMs);
  const record = isObject(message) ? recordOfObject(message, nowMs) : recordOfLine(valueText(message), nowMs);
  if ('reject' in record || Object.keys(others).length === 0) return record;
  // A body of its own keeps fields from being taken for one.
  const beside = recordOfObject({ ...others, body: '-' }, nowMs);
  if ('reject' in beside) return beside;
  const attributes = (record.attributes ??= []);
  const push = (pairs: readonly string[] = []): void => {
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i] as string;
      attributes.push(hasKey(attributes, name) ? `datadog.${name}` : name, pairs[i + 1] as string);
    }
  };
  push(beside.attributes);
  record.resource = [...(record.resource ?? []), ...(beside.resource ?? [])];
  if (record.timeMs === undefined) {
    record.timeMs = beside.timeMs;
    record.timeSubNs = beside.timeSubNs;
  }
  if (record.severityText === '') {
    record.severityText = beside.severityText;
    record.severityNumber = beside.severityNumber;
  } else if (beside.severityText !== '') push(['log.level', beside.severityText]);
  record.service ||= beside.service;
  if ((record.traceId ?? '') === '') {
    record.traceId = beside.traceId;
    record.spanId = beside.spanId;
  }
  return record;
}

/** The agent says info of standard output and error of standard error: a level of the message's own knows better. */
function setStatus(record: LogRecord, status: string): void {
  if (status === '') return;
  if (record.severityText !== '') {
    if (record.severityText.toLowerCase() !== status.toLowerCase())
      (record.attributes ??= []).push('datadog.status', status);
    return;
  }
  record.severityText = status;
  record.severityNumber = severityNumberOf(status);
}

const tagsText = (tags: unknown): string =>
  Array.isArray(tags) ? (tags as unknown[]).map(valueText).join(',') : valueText(tags);

/** The record with what is said beside it: service, host, source and tags. */
function described(record: LogRecord, { service, hostname, ddsource, ddtags }: Reserved): LogRecord {
  const resource: string[] = [...(record.resource ?? [])];
  const attributes = (record.attributes ??= []);
  const add = (name: string, value: string): void => {
    if (!hasKey(resource, name)) resource.push(name, value);
    else if (resource[resource.indexOf(name) + 1] !== value) attributes.push(`datadog.${name}`, value);
  };
  if (hostname !== '') add('host.name', hostname);
  if (ddsource !== '') add('datadog.log.source', ddsource);
  let tagged = '';
  const bare: string[] = [];
  for (const tag of ddtags.split(',')) {
    const at = tag.indexOf(':');
    const name = tag.slice(0, Math.max(at, 0)).trim();
    const value = tag.slice(at + 1).trim();
    if (name === '') {
      if (value !== '') bare.push(value);
    } else if (name === 'service') tagged ||= value;
    else {
      const known = tagNames.get(name);
      if (known !== undefined) add(known, value);
      else attributes.push(hasKey(attributes, name) ? `datadog.tag.${name}` : name, value);
    }
  }
  if (bare.length > 0) attributes.push('datadog.tags', bare.join(','));
  if (service !== '' && record.service !== undefined && record.service !== service)
    attributes.push('datadog.service', service);
  const said = record.service || service || tagged;
  const found = resourceOf(resource, said || undefined);
  record.resource = found.pairs ?? undefined;
  record.service =
    said === '' && found.service === 'unknown_service' && !genericSources.has(ddsource)
      ? cutService(ddsource)
      : found.service;
  return record;
}

function invalid(reason: string): LogweirError {
  return new LogweirError('REQUEST_INVALID', `The body cannot be read: ${reason}.`, 'Nothing of it was taken.');
}
