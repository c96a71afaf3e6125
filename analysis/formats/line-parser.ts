/**
 * Lines of one source to records. Invariant, at every moment after `flush`:
 *
 *   counts.lines = counts.records + counts.folded + counts.blank + counts.rejected
 *
 * A blank line within a stack trace is folded; anywhere else it says nothing and is counted `blank`. Hot path of file
 * ingest and syslog; benchmark: loadtest/bench/formats.bench.ts.
 */
import { recordBytesMax, severityClass, unknownService } from '#protocol/mod.ts';
import { audit, kernelRing, levelled } from './bare.ts';
import { bars, eventColumns, eventLog, glog, logcat } from './columns.ts';
import { addWrapper, serviceOfLabels, unwrap, type Wrapped, type Wrapper, wrapperAttributes } from './container.ts';
import { ContainerParts, type JoinedLine } from './container-parts.ts';
import type { ContainerOrigin } from './container-path.ts';
import { Draft, type Format, type ParsedRecord, type RawLines, SourceContext } from './draft.ts';
import {
  foldVerdict,
  isBlank,
  isClosing,
  isExceptionLine,
  isUncaughtHeader,
  type TraceKind,
  traceAfter,
  traceOpenedBy,
} from './folding.ts';
import { cutService, json } from './json.ts';
import { logfmt } from './logfmt.ts';
import { char, isDigit, isLetter } from './scan.ts';
import { serviceFromFileName } from './service-name.ts';
import { stamped } from './stamped.ts';
import { syslog3164, syslog5424, syslogIso } from './syslog.ts';
import { access, apacheError, nginxError } from './web.ts';

/** Physical lines of one record; a longer run of continuations goes on in another record of the same head. */
export const recordLinesMax = 1000;
/** Colours of terminals (ANSI SGR): decoration of consoles that went into a file. */
const escape = String.fromCharCode(27);
const colours = new RegExp(`${escape}\\[[0-9;]{0,32}m`, 'g');
/** Distinct hosts whose resource list is kept for reuse: one array per host is one dictionary entry on the wire. */
const hostsMax = 1024;

/**
 * Formats of a shape of their own by what a line begins with, in the order they are tried; the one that fit last goes
 * first.
 */
const strictAtDigit: readonly Format[] = [
  access,
  syslog5424,
  syslogIso,
  nginxError,
  logcat,
  eventLog,
  bars,
  eventColumns,
];
const strictAtLetter: readonly Format[] = [access, syslog3164, glog, logcat, eventLog, audit];
const strictAtBracket: readonly Format[] = [apacheError, kernelRing, access];
const strictAtLess: readonly Format[] = [syslog5424, syslog3164];
const strictElsewhere: readonly Format[] = [json, access, eventLog];
const strictAtSpace: readonly Format[] = [json];

function strictFor(code: number): readonly Format[] {
  if (isDigit(code)) return strictAtDigit;
  if (isLetter(code)) return strictAtLetter;
  switch (code) {
    case char.bracketOpen:
      return strictAtBracket;
    case char.less:
      return strictAtLess;
    case char.space:
    case char.tab:
      return strictAtSpace;
    default:
      return strictElsewhere;
  }
}

/** Formats that fit much: only for what no strict one took, the more telling first. */
const lenient: readonly Format[] = [stamped, levelled, logfmt];

export interface LineParserOptions {
  /** Service of every record, whatever the lines say. */
  service?: string | undefined;
  /** File name the lines come from: names the service where they do not. */
  sourceName?: string | undefined;
  /** Container that the lines are of, where it is known: names the service where lines do not, and their resource. */
  container?: ContainerOrigin | undefined;
  /** ms since 1970 when the lines were seen (for a file at rest, better its modification time): stamps without a year
   * lie at most a day after it. */
  observedMs: number;
  /** Zone of stamps that name none: 'UTC' (default) or minutes east of it. */
  timeZone?: 'UTC' | number | undefined;
  /** Told of every line that is counted as rejected: its number in the source, from 1, and why. */
  onReject?: ((line: number, reason: string) => void) | undefined;
  /** Records carry the lines as they came, too. */
  keepRaw?: boolean | undefined;
  /** Which lines belong together, told instead of found. */
  folding?: LineFolding | undefined;
}

/** Tells which lines continue the record before them, for sources whose records no built-in rule puts together. */
export interface LineFolding {
  continues(line: string): boolean;
  /** Lines of one record; a further one begins the next. */
  linesMax: number;
  /** Characters of one record. */
  charactersMax: number;
}

export interface LineCounts {
  lines: number;
  records: number;
  /** Lines that became part of the record before them. */
  folded: number;
  /** Empty lines outside of any stack trace. */
  blank: number;
  /** Records that no format fits, kept whole; they are counted in `records` too. */
  unparsed: number;
  rejected: number;
  /** Records by format; `plain` are the unparsed. */
  byFormat: Record<string, number>;
}

/**
 * `at`: the place that `push` was given with the record's first line. `order`: the place where that line was whole, or one
 * within the line there; it ascends from record to record, which `at` does not where lines were split.
 */
type Emit = (record: ParsedRecord, at: number, order: number) => void;

export class LineParser {
  readonly counts: LineCounts = { lines: 0, records: 0, folded: 0, blank: 0, unparsed: 0, rejected: 0, byFormat: {} };
  private readonly options: LineParserOptions;
  private readonly context: SourceContext;
  private readonly fallbackService: string;
  private readonly draft = new Draft();
  private readonly resources = new Map<string, string[]>();
  private lastStrict: Format | undefined;
  private open: ParsedRecord | undefined;
  /** Lines folded into the open record, joined once at its end. */
  private tail: string[] = [];
  private tailChars = 0;
  /** Characters of the open record's lines. */
  private openChars = 0;
  private openIndented = false;
  private trace: TraceKind = 'none';
  /** Where the open record begins, and what was around its first line. */
  private openAt = 0;
  private openOrder = 0;
  private openWrapper: Wrapper | null = null;
  /** Lines that their container runtime split and that are not whole yet. */
  private readonly parts = new ContainerParts();
  // The line being taken: where it begins, what was around it, physical lines in it.
  private at = 0;
  private order = 0;
  /** Place of the last line that came. */
  private lastAt = 0;
  private wrapper: Wrapper | null = null;
  private lineParts = 1;
  /** Lines of another stream stand between the parts of a line. */
  private isMixed = false;
  private resumeAtOrNull: number | null = null;

  constructor(options: LineParserOptions) {
    this.options = options;
    const { timeZone } = options;
    this.context = new SourceContext(options.observedMs, typeof timeZone === 'number' ? timeZone : 0);
    const { sourceName, container } = options;
    this.fallbackService = cutService(
      container?.service ?? (sourceName === undefined ? unknownService : serviceFromFileName(sourceName)),
    );
  }

  /**
   * The place of the first line that records still to come may have lines of; null where there is none. A parser that
   * begins there makes the same of the lines from there on, and no line before it belongs to a record still to come.
   */
  get resumeAt(): number | null {
    return this.resumeAtOrNull;
  }

  /**
   * Feeds one line, without its newline; a trailing CR is taken off. Calls back zero or more finished records in order.
   * The last record stays open, for more lines of it, until another begins or `flush`.
   * @param at its place in the source, which its record is known by; ascending, default its number from 1. Where `order`
   * is used, lines are as many places apart as they have bytes.
   */
  push(line: Uint8Array | string, emit: Emit, at = this.counts.lines + 1): void {
    if (line.length > recordBytesMax) {
      this.reject(typeof line === 'string' ? Buffer.byteLength(line) : line.length, emit);
      return;
    }
    let text = typeof line === 'string' ? line : decode(line);
    // Invalid bytes become replacement characters of three bytes each.
    if (text.length * 3 > recordBytesMax) {
      const bytes = Buffer.byteLength(text);
      if (bytes > recordBytesMax) {
        this.reject(bytes, emit);
        return;
      }
    }
    this.counts.lines++;
    if (this.counts.lines === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    this.lastAt = at;
    const wrapped = unwrap(text, this.context.time);
    if (wrapped === null) this.takeLine(null, text, at, at, 1, emit);
    else if (!wrapped.isPart && !this.parts.has(wrapped.wrapper.stream)) {
      this.isMixed ||= this.parts.count > 0;
      this.takeLine(wrapped.wrapper, textOf(wrapped, text), at, at, 1, emit);
    } else this.takePart(wrapped, typeof line === 'string' ? text : line, text, at, emit);
    if (this.open === undefined && this.parts.count === 0) this.resumeAtOrNull = null;
  }

  /** Counts a line that the reader did not keep because of its size. */
  reject(bytes: number, emit: Emit): void {
    this.flush(emit);
    this.counts.lines++;
    this.refuse(bytes);
  }

  /** Ends the open record, and lines whose rest did not come: at the end of the source, or when nothing came for a while. */
  flush(emit: Emit): void {
    let order = this.lastAt;
    for (const stream of this.parts.streams()) this.takeJoined(this.parts.take(stream), ++order, emit);
    this.close(emit);
    this.resumeAtOrNull = null;
  }

  private refuse(bytes: number): void {
    this.counts.rejected++;
    this.options.onReject?.(this.counts.lines, `the line has ${bytes} bytes, ${recordBytesMax} are allowed`);
  }

  /** A part of a line, or the last part of one. */
  private takePart(wrapped: Wrapped, line: Uint8Array | string, text: string, at: number, emit: Emit): void {
    const { wrapper, isPart, textAt } = wrapped;
    const { stream } = wrapper;
    const { parts } = this;
    const begins = !parts.has(stream);
    if (begins) {
      // No record goes on across a line of the other stream, whenever that one ends.
      if (this.open !== undefined && this.openWrapper?.stream !== stream) this.close(emit);
      this.isMixed = parts.count > 0;
      if (this.open === undefined && !this.isMixed) this.resumeAtOrNull = at;
    }
    // What is before the text is ASCII: as many bytes as characters.
    const piece =
      typeof line === 'string' || textAt < 0
        ? Buffer.from(textOf(wrapped, text))
        : line.subarray(textAt + (line[0] === 0xef ? 3 : 0));
    const full = parts.add(wrapper, piece, at);
    if (full !== null) this.takeJoined(full, at, emit);
    else if (!begins) this.counts.folded++;
    if (!isPart) this.takeJoined(parts.take(stream), full === null ? at : at + 1, emit);
  }

  private takeJoined(joined: JoinedLine | null, order: number, emit: Emit): void {
    if (joined === null) return;
    const { wrapper, text, at, parts } = joined;
    const bytes = text.length * 3 > recordBytesMax ? Buffer.byteLength(text) : 0;
    if (bytes <= recordBytesMax) {
      this.takeLine(wrapper, text, at, order, parts, emit);
      return;
    }
    this.close(emit);
    this.refuse(bytes);
  }

  /** One line as its program wrote it. */
  private takeLine(wrapper: Wrapper | null, line: string, at: number, order: number, parts: number, emit: Emit): void {
    let text = line;
    if (text.charCodeAt(text.length - 1) === 13) text = text.slice(0, -1);
    if (text.includes(escape)) text = text.replace(colours, '');
    if (this.open !== undefined && wrapper?.stream !== this.openWrapper?.stream) this.close(emit);
    this.wrapper = wrapper;
    this.at = at;
    this.order = order;
    this.lineParts = parts;
    this.take(text, emit);
  }

  /** Which lines belong together is told: the built-in rules do not look at them. */
  private takeTold(text: string, folding: LineFolding, emit: Emit): void {
    const { open } = this;
    if (open !== undefined && folding.continues(text)) {
      const fits = open.lines < folding.linesMax && this.openChars + text.length < folding.charactersMax;
      if (fits) {
        this.fold(text, emit);
        return;
      }
    }
    if (isBlank(text)) {
      this.counts.blank++;
      return;
    }
    if (!this.fits(text)) this.plain(text);
    this.begin(text, emit);
  }

  private take(text: string, emit: Emit): void {
    if (this.options.folding !== undefined) {
      this.takeTold(text, this.options.folding, emit);
      return;
    }
    if (isBlank(text)) {
      if (this.open !== undefined && this.trace !== 'none') this.fold(text, emit);
      else this.counts.blank++;
      return;
    }
    const { open } = this;
    if (open !== undefined) {
      const verdict = foldVerdict(text, this.trace, this.openIndented);
      if (verdict === 'fold') {
        this.fold(text, emit);
        return;
      }
    }
    if (this.fits(text)) {
      this.begin(text, emit);
      return;
    }
    if (open !== undefined && this.continues(text, open)) {
      this.fold(text, emit);
      return;
    }
    this.plain(text);
    this.begin(text, emit);
  }

  private plain(text: string): void {
    this.draft.reset('plain');
    this.draft.body = text;
    this.counts.unparsed++;
  }

  /** For a line that no format fits: whether the open record is where it belongs. */
  private continues(text: string, open: ParsedRecord): boolean {
    const code = text.charCodeAt(0);
    if (code === 32 || code === 9) return !this.openIndented;
    if (this.tail.length > 0 && isClosing(text)) return true;
    if (open.format === 'json') return false;
    if (isExceptionLine(text, 0, true)) return true;
    // A crash of its own after plain progress messages; a trace behind a warning or worse belongs to that.
    const level = severityClass(open.severityNumber);
    const severe = level === 'WARN' || level === 'ERROR' || level === 'FATAL';
    if (isUncaughtHeader(text)) return severe && open.format !== 'plain';
    return severe && open.lines === 1 && isExceptionLine(text, 0, false) && /^\w+(?:Error|Exception)\b/.test(text);
  }

  private fits(text: string): boolean {
    const { draft, context } = this;
    if (this.lastStrict?.(text, draft, context)) return true;
    for (const format of strictFor(text.charCodeAt(0))) {
      if (format === this.lastStrict || !format(text, draft, context)) continue;
      this.lastStrict = format;
      return true;
    }
    for (const format of lenient) if (format(text, draft, context)) return true;
    return false;
  }

  private begin(text: string, emit: Emit): void {
    this.close(emit);
    this.openWrapper = this.wrapper;
    this.openAt = this.at;
    this.openOrder = this.order;
    this.setResume();
    this.open = this.finish(this.draft);
    this.open.lines = this.lineParts;
    if (this.options.keepRaw === true) this.open.raw = this.rawOf(text);
    this.openChars = text.length;
    const code = text.charCodeAt(0);
    this.openIndented = code === 32 || code === 9;
    this.trace = traceOpenedBy(text);
    if (this.trace === 'none') this.trace = traceOpenedBy(this.open.body);
  }

  /** A record begins. Where lines lie within others that were split, the place where the first of them begins stands. */
  private setResume(): void {
    if (this.parts.count === 0 && (this.lineParts === 1 || !this.isMixed)) this.resumeAtOrNull = this.at;
  }

  /** The record of a draft and of what was around its line. */
  private finish(draft: Draft): ParsedRecord {
    const { openWrapper: wrapper } = this;
    const service = this.options.service ?? (draft.service === '' ? this.serviceElse() : cutService(draft.service));
    if (wrapper !== null) addWrapper(draft, wrapper);
    return draft.finish(service, this.resourceOf(draft.host));
  }

  /** Of lines that name none. */
  private serviceElse(): string {
    const labelled = serviceOfLabels(this.openWrapper?.labels);
    return labelled === '' ? this.fallbackService : cutService(labelled);
  }

  private rawOf(head: string): RawLines {
    const { openWrapper } = this;
    const serviceGiven = this.options.service !== undefined;
    const serviceElse = serviceGiven || this.draft.service === '' ? '' : this.serviceElse();
    const raw: RawLines = { head, tail: '', serviceElse, serviceGiven };
    if (openWrapper !== null) raw.wrapper = wrapperAttributes(openWrapper).filter((_, i) => i % 2 === 0);
    return raw;
  }

  private resourceOf(host: string): string[] | undefined {
    const { container } = this.options;
    if (host === '') return container?.resource;
    let resource = this.resources.get(host);
    if (resource === undefined) {
      resource = ['host.name', host, ...(container?.resource ?? [])];
      if (this.resources.size < hostsMax) this.resources.set(host, resource);
    }
    return resource;
  }

  private fold(text: string, emit: Emit): void {
    const open = this.open as ParsedRecord;
    const chars = this.tailChars + text.length + 1;
    // Three bytes a character at most: an upper bound that needs no second pass.
    const full = (chars + open.body.length) * 3 > recordBytesMax && !this.hasRoom(text);
    if (full || open.lines >= recordLinesMax) {
      const trace = this.trace;
      const next: ParsedRecord = { ...open, body: text, lines: this.lineParts };
      if (open.raw !== undefined) next.raw = this.rawOf(text);
      this.openChars = text.length;
      this.close(emit);
      this.open = next;
      this.openAt = this.at;
      this.openOrder = this.order;
      this.setResume();
      this.trace = trace;
      if (next.format === 'plain') this.counts.unparsed++;
      return;
    }
    this.tail.push(text);
    this.tailChars = chars;
    this.openChars += text.length + 1;
    open.lines += this.lineParts;
    this.counts.folded++;
    this.trace = traceAfter(text, this.trace);
  }

  /** Exact, so called only near the limit. */
  private hasRoom(text: string): boolean {
    let bytes = Buffer.byteLength((this.open as ParsedRecord).body) + Buffer.byteLength(text) + 1;
    for (const line of this.tail) bytes += Buffer.byteLength(line) + 1;
    return bytes <= recordBytesMax;
  }

  private close(emit: Emit): void {
    const { open } = this;
    if (open === undefined) return;
    this.open = undefined;
    this.trace = 'none';
    if (this.tail.length > 0) {
      const tail = this.tail.join('\n');
      open.body = open.body === '' ? tail.trim() : `${open.body}\n${tail}`;
      if (open.raw !== undefined) open.raw.tail = tail;
      this.tail = [];
      this.tailChars = 0;
    }
    const record =
      open.format === 'plain' && open.lines > 1 && open.body.charCodeAt(0) === 123 ? this.reread(open) : open;
    const { openWrapper } = this;
    if (openWrapper !== null) {
      // With its time and stream, a plain line of a container has been read.
      if (record.format === 'plain') this.counts.unparsed--;
      record.format = record.format === 'plain' ? openWrapper.format : `${openWrapper.format}+${record.format}`;
    }
    this.counts.records++;
    this.counts.byFormat[record.format] = (this.counts.byFormat[record.format] ?? 0) + 1;
    emit(record, this.openAt, this.openOrder);
  }

  /** An object printed over several lines is JSON after all. */
  private reread(open: ParsedRecord): ParsedRecord {
    // Not the parser's own draft: that holds the record which this one makes room for.
    const draft = new Draft();
    if (!json(open.body, draft, this.context)) return open;
    this.counts.unparsed--;
    const record = this.finish(draft);
    record.lines = open.lines;
    if (open.raw !== undefined) record.raw = open.raw;
    return record;
  }
}

/** UTF-8 with replacement characters for what is not; NUL stays NUL. */
function decode(line: Uint8Array): string {
  return Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
}

/** What is within a wrapped line. */
function textOf({ text, textAt }: Wrapped, line: string): string {
  return textAt < 0 ? text : line.slice(textAt);
}
