/** Maps named fields (JSON, logfmt) to a record: the names in common use for time, severity, service, body and trace. */
import { attributesMax, severityNumberOf, severityNumberOfSyslog } from '#protocol/mod.ts';
import type { Draft } from './draft.ts';
import type { TimeScanner } from './time.ts';

type Role = 'time' | 'severity' | 'severityNumber' | 'service' | 'body' | 'traceId' | 'spanId' | 'traceFlags' | 'host';

/** Names by role, the most telling first: where a record has several, the first wins and the others become attributes. */
const aliases: Record<Role, readonly string[]> = {
  time: [
    'timestamp',
    '@timestamp',
    'time',
    'ts',
    'timeUnixNano',
    'time_unix_nano',
    'datetime',
    'date',
    'eventTime',
    'event_time',
    '@t',
    't',
    'timeMillis',
    'asctime',
    'syslog_timestamp',
    'timestamp_ms',
    '__REALTIME_TIMESTAMP',
    'observedTimestamp',
  ],
  severity: [
    'severity',
    'level',
    'severityText',
    'severity_text',
    'log.level',
    'loglevel',
    'log_level',
    'logLevel',
    'levelname',
    'lvl',
    'severity_label',
    '@l',
    'priority',
    'levelno',
  ],
  severityNumber: ['severityNumber', 'severity_number'],
  service: [
    'service',
    'service.name',
    'service_name',
    'serviceName',
    'app',
    'application',
    'app_name',
    'appName',
    'appname',
    'application_name',
    'kubernetes.labels.app',
    'kubernetes.container_name',
    'kubernetes.container.name',
    'container_name',
    'container.name',
    'program',
    'syslog_identifier',
    'syslog.appname',
    'component_service',
  ],
  body: [
    'body',
    'message',
    'msg',
    'log',
    'short_message',
    'text',
    '@m',
    'MESSAGE',
    'fields.message',
    'textPayload',
    'body.text',
    'event',
    '@mt',
    'error',
  ],
  traceId: [
    'traceId',
    'trace_id',
    'traceid',
    'trace.id',
    'traceID',
    'TraceId',
    'otelTraceID',
    '@tr',
    'dd.trace_id',
    'span.trace_id',
  ],
  spanId: ['spanId', 'span_id', 'spanid', 'span.id', 'spanID', 'SpanId', 'otelSpanID', '@sp', 'dd.span_id'],
  traceFlags: ['traceFlags', 'trace_flags', 'TraceFlags'],
  host: [
    'host',
    'hostname',
    'host.name',
    'host_name',
    '_HOSTNAME',
    'HOSTNAME',
    'source_host',
    'kubernetes.host',
    'node_name',
  ],
};

interface Alias {
  role: Role;
  /** Index of the role in the mapper's arrays. */
  code: number;
  rank: number;
}

const codes: Readonly<Record<Role, number>> = {
  time: 0,
  severity: 1,
  severityNumber: 2,
  service: 3,
  body: 4,
  traceId: 5,
  spanId: 6,
  traceFlags: 7,
  host: 8,
};

const roles: ReadonlyMap<string, Alias> = new Map(
  (Object.entries(aliases) as [Role, readonly string[]][]).flatMap(([role, names]) =>
    names.flatMap((name, rank): [string, Alias][] => {
      const title = name.charAt(0).toUpperCase() + name.slice(1);
      return [
        [name, { role, code: codes[role], rank }],
        [title, { role, code: codes[role], rank }],
        [name.toUpperCase(), { role, code: codes[role], rank }],
      ];
    }),
  ),
);

/** Levels of bunyan and pino: 10 trace to 60 fatal. */
const bunyanNumbers: Readonly<Record<number, number>> = { 10: 1, 20: 5, 30: 9, 40: 13, 50: 17, 60: 21 };
/** `levelno` of Python's logging. */
const pythonNumbers: Readonly<Record<number, number>> = { 10: 5, 20: 9, 30: 13, 40: 17, 50: 18 };
const hex = /^[0-9a-fA-F]+$/;

/** Collects the fields of one record. Reused from record to record. */
export class FieldMapper {
  private readonly keys: string[] = [];
  private readonly values: string[] = [];
  private readonly numeric: boolean[] = [];
  /** Index of the field that a role has been found in, -1 where none, and the rank of its name, by role code. */
  private readonly best = new Array<number>(9).fill(-1);
  private readonly ranks = new Array<number>(9).fill(0);

  get size(): number {
    return this.keys.length;
  }

  clear(): void {
    this.keys.length = 0;
    this.values.length = 0;
    this.numeric.length = 0;
    this.best.fill(-1);
  }

  /** One field, its value as text. `isNumber`: it was a number, not digits in quotes. */
  add(key: string, value: string, isNumber: boolean): void {
    const index = this.keys.length;
    this.keys.push(key);
    this.values.push(value);
    this.numeric.push(isNumber);
    const alias = roles.get(key);
    if (alias === undefined) return;
    const { code, rank } = alias;
    if ((this.best[code] as number) >= 0 && (this.ranks[code] as number) <= rank) return;
    this.ranks[code] = rank;
    this.best[code] = index;
  }

  has(role: 'body' | 'time' | 'severity'): boolean {
    return this.indexOf(role) >= 0;
  }

  private indexOf(role: Role): number {
    return this.best[codes[role]] as number;
  }

  /**
   * Fills the draft. Fields that do not hold what their name promises stay attributes. `raw` is the body of last resort;
   * `timed`: the time is known already.
   */
  apply(draft: Draft, time: TimeScanner, raw: string, timed = false): void {
    const { values } = this;
    let body = this.indexOf('body');
    if (body >= 0 && values[body] === '') body = -1;
    draft.body = body >= 0 ? (values[body] as string) : raw;
    // Docker's log files keep the newline of the line they wrap.
    if (draft.body.endsWith('\n')) draft.body = draft.body.slice(0, -1);
    const used = [
      body,
      timed ? -1 : this.time(draft, time),
      this.severity(draft),
      this.trace(draft, 'traceId', 32),
      this.trace(draft, 'spanId', 16),
    ];
    const service = this.indexOf('service');
    if (service >= 0 && values[service] !== '') {
      draft.service = values[service] as string;
      used.push(service);
    }
    const host = this.indexOf('host');
    if (host >= 0 && values[host] !== '') {
      draft.host = values[host] as string;
      used.push(host);
    }
    const flags = this.indexOf('traceFlags');
    if (flags >= 0) {
      const text = values[flags] as string;
      const value = this.numeric[flags]
        ? Number(text)
        : text.length === 2 && hex.test(text)
          ? Number.parseInt(text, 16)
          : Number.NaN;
      if (Number.isInteger(value) && value >= 0 && value <= 255) {
        draft.traceFlags = value;
        used.push(flags);
      }
    }
    this.attributes(draft, used);
  }

  private time(draft: Draft, time: TimeScanner): number {
    const index = this.indexOf('time');
    if (index < 0) return -1;
    const text = this.values[index] as string;
    // `time: 0.35` is a duration, `t: 20` a temperature; only `timestamp` may mean the first years after 1970.
    if (text.length < 9 && Number(text) < 1e8 && !/timestamp$/i.test(this.keys[index] as string)) return -1;
    if (!time.scanField(text)) return -1;
    draft.setTime(time);
    return index;
  }

  private severity(draft: Draft): number {
    const byNumber = this.indexOf('severityNumber');
    if (byNumber >= 0) {
      const value = Number(this.values[byNumber]);
      if (Number.isInteger(value) && value >= 0 && value <= 24) draft.severityNumber = value;
    }
    const index = this.indexOf('severity');
    if (index < 0) return draft.severityNumber >= 0 ? byNumber : -1;
    const text = this.values[index] as string;
    draft.severityText = text;
    if (draft.severityNumber >= 0) return index;
    const value = text.length <= 2 && text !== '' ? Number(text) : Number.NaN;
    if (Number.isInteger(value)) draft.severityNumber = numericLevel(this.keys[index] as string, value);
    else draft.severityNumber = severityNumberOf(text);
    return index;
  }

  private trace(draft: Draft, role: 'traceId' | 'spanId', digits: number): number {
    const index = this.indexOf(role);
    if (index < 0) return -1;
    const text = this.values[index] as string;
    // Half-length trace ids (B3) are padded, as OpenTelemetry does.
    if (!hex.test(text) || (text.length !== digits && !(role === 'traceId' && text.length === 16))) return -1;
    const id = text.toLowerCase().padStart(digits, '0');
    draft[role] = /^0+$/.test(id) ? '' : id;
    return index;
  }

  private attributes(draft: Draft, used: readonly number[]): void {
    const { keys, values } = this;
    let count = 0;
    let rest: Record<string, string> | undefined;
    for (let i = 0; i < keys.length; i++) {
      if (used.includes(i)) continue;
      // One is kept free for what is over the limit.
      if (count < attributesMax - 1) {
        draft.attributes.push(keys[i] as string, values[i] as string);
        count++;
      } else {
        rest ??= Object.create(null) as Record<string, string>;
        rest[keys[i] as string] = values[i] as string;
      }
    }
    if (rest !== undefined) draft.attributes.push('attributes.rest', JSON.stringify(rest));
  }
}

function numericLevel(key: string, value: number): number {
  if (value >= 0 && value <= 7) return severityNumberOfSyslog[value] as number;
  if (key.toLowerCase() === 'levelno') return pythonNumbers[value] ?? 0;
  return bunyanNumbers[value] ?? (value <= 24 ? value : 0);
}

/** Role of a field name, undefined for a plain attribute. For scanners that take the common shape on their own. */
export function roleOfField(name: string): Role | undefined {
  return roles.get(name)?.role;
}
