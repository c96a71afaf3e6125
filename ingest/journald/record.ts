/** Entries of systemd's journal to records. Source: systemd.journal-fields(7) and OpenTelemetry's semantic conventions. */
import { type LogRecord, recordBytesMax, severityNumberOfSyslog, unknownService } from '#protocol/mod.ts';
import { hasKey, recordOfLine } from '../mapping/object.ts';
import { resourceOf } from '../mapping/resource.ts';
import type { JournalEntry } from './export-reader.ts';

const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;

/** What tells where an entry comes from, and what happened; all other fields keep their names as attributes. */
const resourceNames: ReadonlyMap<string, string> = new Map([
  ['_HOSTNAME', 'host.name'],
  ['_MACHINE_ID', 'host.id'],
  ['_SYSTEMD_UNIT', 'systemd.unit'],
  ['CONTAINER_NAME', 'container.name'],
  ['CONTAINER_ID_FULL', 'container.id'],
  ['IMAGE_NAME', 'container.image.name'],
]);
const attributeNames: ReadonlyMap<string, string> = new Map([
  ['__CURSOR', 'journald.cursor'],
  ['_PID', 'process.pid'],
  ['_COMM', 'process.executable.name'],
  ['_EXE', 'process.executable.path'],
  ['_CMDLINE', 'process.command_line'],
  ['_UID', 'process.user.id'],
  ['TID', 'thread.id'],
  ['CODE_FILE', 'code.file.path'],
  ['CODE_LINE', 'code.line.number'],
  ['CODE_FUNC', 'code.function.name'],
  ['SYSLOG_FACILITY', 'syslog.facility'],
  ['SYSLOG_IDENTIFIER', 'syslog.identifier'],
]);
/** What the cursor says too. */
const inCursor: ReadonlySet<string> = new Set(['__MONOTONIC_TIMESTAMP', '__SEQNUM', '__SEQNUM_ID']);
const facilities =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
/** Microseconds since 1970 as journald writes them, up to the year 2106. */
const microseconds = /^\d{1,16}$/;

/** Fields left out that are named, and the room that their names have. */
const namedMax = 32;
const namingBytes = 4_096;

/** Fields that are too large for a record together with its message are named, and left out. */
export function recordOfEntry(entry: JournalEntry, nowMs: number): LogRecord | { reject: string } {
  const { fields } = entry;
  const first = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2)
    if (!first.has(fields[i] as string)) first.set(fields[i] as string, fields[i + 1] as string);
  const message = first.get('MESSAGE');
  if (message === undefined)
    return {
      reject: entry.omitted.some(({ name }) => name === 'MESSAGE')
        ? `its message is over ${recordBytesMax} bytes`
        : 'it has no MESSAGE',
    };
  // Programs that write JSON on standard output say more than journald's default priority.
  const record = recordOfLine(message, nowMs);
  const attributes = (record.attributes ??= []);
  const resource: string[] = [...(record.resource ?? [])];
  setPriority(record, first.get('PRIORITY'), attributes);
  setTime(record, first.get('__REALTIME_TIMESTAMP'), attributes);
  const times = new Map([
    ['MESSAGE', 0],
    ['PRIORITY', 0],
    ['__REALTIME_TIMESTAMP', 0],
  ]);
  const identifier = first.get('SYSLOG_IDENTIFIER') ?? '';
  const service = record.service || serviceOf(first);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (inCursor.has(name) && first.has('__CURSOR')) continue;
    const time = times.get(name);
    times.set(name, (time ?? 0) + 1);
    if (time !== undefined) {
      // Fields may come more than once; of those that were used above, the first was.
      if (time > 0) attributes.push(`${name}.${time + 1}`, value);
      continue;
    }
    if (name === 'SYSLOG_IDENTIFIER' && identifier === service) continue;
    const ofResource = resourceNames.get(name);
    if (ofResource !== undefined && !hasKey(resource, ofResource)) resource.push(ofResource, value);
    else {
      const to = attributeNames.get(name) ?? name;
      attributes.push(
        hasKey(attributes, to) ? name : to,
        name === 'SYSLOG_FACILITY' ? (facilities[Number(value)] ?? value) : value,
      );
    }
  }
  leaveOut(record, resource, entry.omitted);
  const found = resourceOf(resource, service);
  record.service = found.service;
  record.resource = found.pairs ?? undefined;
  return record;
}

function setPriority(record: LogRecord, priority: string | undefined, attributes: string[]): void {
  if (priority === undefined) return;
  const keyword = /^[0-7]$/.test(priority) ? severities[Number(priority) as 0] : undefined;
  if (record.severityText !== '' || keyword === undefined) {
    attributes.push('PRIORITY', priority);
    return;
  }
  record.severityText = keyword;
  record.severityNumber = severityNumberOfSyslog[Number(priority)] as number;
}

function setTime(record: LogRecord, text: string | undefined, attributes: string[]): void {
  if (text === undefined) return;
  if (!microseconds.test(text)) {
    attributes.push('__REALTIME_TIMESTAMP', text);
    return;
  }
  // What a JSON message says of its own time is finer where it is there, and the cursor keeps journald's.
  if (record.timeMs !== undefined) return;
  const value = Number(text);
  record.timeMs = Math.floor(value / 1_000);
  record.timeSubNs = (value % 1_000) * 1_000;
}

/** Of a container its name; of a service its unit, without instance; else how the program calls itself. */
function serviceOf(fields: ReadonlyMap<string, string>): string {
  const container = fields.get('CONTAINER_NAME');
  if (container !== undefined && container !== '') return container;
  for (const name of ['_SYSTEMD_USER_UNIT', '_SYSTEMD_UNIT']) {
    const unit = fields.get(name) ?? '';
    if (!unit.endsWith('.service') || unit.startsWith('user@')) continue;
    const instance = unit.indexOf('@');
    return unit.slice(0, instance > 0 ? instance : -'.service'.length);
  }
  return fields.get('SYSLOG_IDENTIFIER') || fields.get('_COMM') || unknownService;
}

/** The largest fields give way to the message: maps and stack traces of core dumps are over any record. */
function leaveOut(record: LogRecord, resource: readonly string[], omitted: JournalEntry['omitted']): void {
  const { attributes = [] } = record;
  let roomBytes = recordBytesMax - namingBytes - Buffer.byteLength(record.body);
  for (const text of resource) roomBytes -= Buffer.byteLength(text);
  const sizes: { at: number; bytes: number }[] = [];
  for (let at = 0; at < attributes.length; at += 2) {
    const bytes = (attributes[at] as string).length + Buffer.byteLength(attributes[at + 1] as string);
    sizes.push({ at, bytes });
    roomBytes -= bytes;
  }
  const left = [...omitted];
  const gone = new Set<number>();
  sizes.sort((a, b) => b.bytes - a.bytes || a.at - b.at);
  for (const { at, bytes } of sizes) {
    if (roomBytes >= 0) break;
    gone.add(at);
    left.push({ name: attributes[at] as string, bytes });
    roomBytes += bytes;
  }
  if (left.length === 0) return;
  const named = left.slice(0, namedMax).map(({ name, bytes }) => `${name} (${bytes} bytes)`);
  if (left.length > named.length) named.push(`${left.length - named.length} more`);
  record.attributes = [...attributes.filter((_, i) => !gone.has(i - (i % 2))), 'journald.omitted', named.join(', ')];
}
