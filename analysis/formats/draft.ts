/** What a format finds in a line before it becomes a record, and what a source remembers between lines. */
import { type LogRecord, severityNumberOf } from '#protocol/mod.ts';
import { TimeScanner } from './time.ts';

/** One finished record and where it came from. */
export interface ParsedRecord extends LogRecord {
  /** Name of the format that fit its first line; `plain` where none did. */
  format: string;
  /** Physical lines in it, at least 1. */
  lines: number;
  /** The lines as they came, where the parser was asked to keep them. */
  raw?: RawLines | undefined;
}

/** Lines of one record before any format took them apart. */
export interface RawLines {
  head: string;
  /** What follows the first line, without its newline; '' where nothing does. */
  tail: string;
  /** A format took the service from the line, where this one would stand otherwise; '' where none did. */
  serviceElse: string;
  /** Who reads the lines named their service: no line changes it. */
  serviceGiven: boolean;
  /** Of a container's lines, which stand here without what its runtime put around them: names of the attributes that came of it. */
  wrapper?: readonly string[] | undefined;
}

/** Reused from line to line: a format resets it, fills it and says whether it fits. */
export class Draft {
  format = '';
  timeMs: number | undefined;
  subNs = 0;
  zoneAssumedMinutes: number | undefined;
  severityText = '';
  /** -1: take it from the text. */
  severityNumber = -1;
  service = '';
  host = '';
  body = '';
  traceId = '';
  spanId = '';
  traceFlags = 0;
  /** Flat key, value list; handed over to the record, never reused. */
  attributes: string[] = [];

  reset(format: string): void {
    this.format = format;
    this.timeMs = undefined;
    this.subNs = 0;
    this.zoneAssumedMinutes = undefined;
    this.severityText = '';
    this.severityNumber = -1;
    this.service = '';
    this.host = '';
    this.body = '';
    this.traceId = '';
    this.spanId = '';
    this.traceFlags = 0;
    if (this.attributes.length > 0) this.attributes = [];
  }

  setTime(time: TimeScanner): void {
    this.timeMs = time.timeMs;
    this.subNs = time.subNs;
    this.zoneAssumedMinutes = time.zoned ? undefined : time.utcOffsetMinutes;
  }

  /** Empty values say nothing and are left out. */
  attribute(key: string, value: string): void {
    if (value !== '') this.attributes.push(key, value);
  }

  /** The same for keys that a header may give twice, as in `[a] [b]`: the later ones are numbered. */
  numbered(key: string, value: string): void {
    let name = key;
    for (let n = 2; this.attributes.includes(name); n++) name = `${key}.${n}`;
    this.attribute(name, value);
  }

  /** The record; attributes change hands. */
  finish(service: string, resource: string[] | undefined): ParsedRecord {
    const { attributes } = this;
    this.attributes = [];
    return {
      timeMs: this.timeMs,
      timeSubNs: this.subNs,
      zoneAssumedMinutes: this.zoneAssumedMinutes,
      severityNumber: this.severityNumber < 0 ? severityNumberOf(this.severityText) : this.severityNumber,
      severityText: this.severityText,
      service,
      body: this.body,
      traceId: this.traceId,
      spanId: this.spanId,
      traceFlags: this.traceFlags,
      attributes: attributes.length === 0 ? undefined : attributes,
      resource,
      format: this.format,
      lines: 1,
    };
  }
}

/** Loggers remembered by a source. */
const loggersMax = 1024;

/** What one source (file, connection) has shown so far. */
export class SourceContext {
  readonly time: TimeScanner;
  /** Share of recent levelled lines that have `word: ` after the level, 0–1: decides where the word alone does not. */
  loggerShare = 0;
  private loggerLines = 0;
  /** Dotted names that stood where only loggers do: they are loggers elsewhere too. */
  private readonly loggers = new Set<string>();
  /** Fewest header columns seen in `a|b|c` lines: more of them are bars within the message. */
  pipeColumns = Number.MAX_SAFE_INTEGER;
  /** Host of the last syslog line: a bare `tag:` behind a known host is a tag. */
  lastHost = '';

  constructor(observedMs: number, utcOffsetMinutes: number) {
    this.time = new TimeScanner(observedMs, utcOffsetMinutes);
  }

  knowsLogger(name: string): boolean {
    return this.loggers.has(name);
  }

  rememberLogger(name: string): void {
    if (this.loggers.size < loggersMax && name.includes('.')) this.loggers.add(name);
  }

  /** One more levelled line, with or without `word: `: a mean at first, then a moving one over some thirty lines. */
  countLogger(found: boolean): void {
    this.loggerLines++;
    this.loggerShare += ((found ? 1 : 0) - this.loggerShare) / Math.min(32, this.loggerLines + 1);
  }
}

/** A format: fills the draft and returns true where the whole line fits it. Never throws. */
export type Format = (text: string, draft: Draft, context: SourceContext) => boolean;
