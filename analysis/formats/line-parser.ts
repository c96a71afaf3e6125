/**
 * Lines of one source to records. Invariant, at every moment after `flush`:
 *
 *   counts.lines = counts.records + counts.folded + counts.blank + counts.rejected
 *
 * A blank line within a stack trace is folded; anywhere else it says nothing and is counted `blank`. Hot path of file
 * ingest and syslog; benchmark: loadtest/bench/formats.bench.ts.
 */
import { recordBytesMax, unknownService } from '#protocol/mod.ts';
import { FormatChoice } from './choose.ts';
import { addWrapper, serviceOfLabels, unwrap, type Wrapped, type Wrapper, wrapperAttributes } from './container.ts';
import { ContainerParts, type JoinedLine } from './container-parts.ts';
import { Draft, type ParsedRecord, type RawLines, SourceContext } from './draft.ts';
import { foldVerdict, isBlank } from './folding.ts';
import { type Emit, InOrder } from './in-order.ts';
import { cutService, json } from './json.ts';
import type { LineCounts, LineFolding, LineParserOptions } from './line-options.ts';
import { OpenRecord } from './open-record.ts';
import { serviceFromFileName } from './service-name.ts';

/** Colours of terminals (ANSI SGR): decoration of consoles that went into a file. */
const escape = String.fromCharCode(27);
const colours = new RegExp(`${escape}\\[[0-9;]{0,32}m`, 'g');
/** Distinct hosts whose resource list is kept for reuse: one array per host is one dictionary entry on the wire. */
const hostsMax = 1024;
/**
 * How far a record of a container goes on across lines of its other stream: programs write a trace within milliseconds, and
 * what began later waits for it, since records are told in order.
 */
const acrossMs = 200;
/** Lines from one place on where nothing but one record is open to the next such place. */
const acrossLinesMax = 100;

export class LineParser {
  readonly counts: LineCounts = { lines: 0, records: 0, folded: 0, blank: 0, unparsed: 0, rejected: 0, byFormat: {} };
  private readonly options: LineParserOptions;
  private readonly context: SourceContext;
  private readonly fallbackService: string;
  private readonly draft = new Draft();
  private readonly choice = new FormatChoice();
  private readonly resources = new Map<string, string[]>();
  /** The open records of a container's streams; of any other source, the first alone. */
  private readonly stdout = new OpenRecord();
  private readonly stderr = new OpenRecord();
  /** The one that the line being taken may belong to. */
  private lane = this.stdout;
  private other = this.stderr;
  /** Records that ended while one that began before them is open, in their order. */
  private readonly held = new InOrder();
  /** Lines since the place where to resume that came while the other stream had a record open. */
  private linesAcross = 0;
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
    if (this.isIdle && this.parts.count === 0) this.resumeAtOrNull = null;
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
    this.closeAll(emit);
    this.resumeAtOrNull = null;
  }

  /** No record is open, and none waits for one. */
  private get isIdle(): boolean {
    return this.lane.record === undefined && this.other.record === undefined && this.held.isEmpty;
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
      this.isMixed = parts.count > 0;
      if (this.isIdle && !this.isMixed) this.resumeAtOrNull = at;
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
    this.closeAll(emit);
    this.refuse(bytes);
  }

  /** One line as its program wrote it. */
  private takeLine(wrapper: Wrapper | null, line: string, at: number, order: number, parts: number, emit: Emit): void {
    let text = line;
    if (text.charCodeAt(text.length - 1) === 13) text = text.slice(0, -1);
    if (text.includes(escape)) text = text.replace(colours, '');
    if (wrapper !== null || this.wrapper !== null) this.toStream(wrapper, emit);
    this.wrapper = wrapper;
    this.at = at;
    this.order = order;
    this.lineParts = parts;
    this.take(text, emit);
  }

  /** Turns to the stream that a line is of. What is of no container has one stream, which no record goes on across. */
  private toStream(wrapper: Wrapper | null, emit: Emit): void {
    if (wrapper === null || this.wrapper === null) this.closeAll(emit);
    const isError = wrapper?.stream === 'stderr';
    this.lane = isError ? this.stderr : this.stdout;
    this.other = isError ? this.stdout : this.stderr;
    if (wrapper === null || this.other.record === undefined) return;
    const isLate = wrapper.timeMs - this.other.lastMs > acrossMs;
    if (++this.linesAcross > acrossLinesMax || isLate) this.close(this.other, emit);
  }

  /** Which lines belong together is told: the built-in rules do not look at them. */
  private takeTold(text: string, folding: LineFolding, emit: Emit): void {
    const { record, chars } = this.lane;
    if (record !== undefined && folding.continues(text)) {
      const fits = record.lines < folding.linesMax && chars + text.length < folding.charactersMax;
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
      if (this.lane.record !== undefined && this.lane.trace !== 'none') this.fold(text, emit);
      else this.counts.blank++;
      return;
    }
    const { lane } = this;
    const isOpen = lane.record !== undefined;
    if (isOpen && foldVerdict(text, lane.trace, lane.isIndented) === 'fold') {
      this.fold(text, emit);
      return;
    }
    if (this.fits(text)) {
      this.begin(text, emit);
      return;
    }
    if (isOpen && lane.continues(text)) {
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

  private fits(text: string): boolean {
    return this.choice.fits(text, this.draft, this.context);
  }

  private begin(text: string, emit: Emit): void {
    const { lane } = this;
    this.close(lane, emit);
    lane.wrapper = this.wrapper;
    this.setResume();
    const record = this.finish(this.draft, lane);
    record.lines = this.lineParts;
    if (this.options.keepRaw === true) record.raw = this.rawOf(text, lane);
    lane.begin(record, text, this.at, this.order);
    this.touch(lane);
  }

  private touch(lane: OpenRecord): void {
    if (this.wrapper !== null) lane.lastMs = this.wrapper.timeMs;
  }

  /**
   * A record begins. Where others are open, or lines lie within others that were split, the place where the first of
   * them begins stands.
   */
  private setResume(): void {
    if (this.other.record !== undefined || !this.held.isEmpty) return;
    if (this.parts.count > 0 || (this.lineParts > 1 && this.isMixed)) return;
    this.resumeAtOrNull = this.at;
    this.linesAcross = 0;
  }

  /** The record of a draft and of what was around its line. */
  private finish(draft: Draft, { wrapper }: OpenRecord): ParsedRecord {
    const { service: given } = this.options;
    const service = given ?? (draft.service === '' ? this.serviceElse(wrapper) : cutService(draft.service));
    if (wrapper !== null) addWrapper(draft, wrapper);
    return draft.finish(service, this.resourceOf(draft.host));
  }

  /** Of lines that name none. */
  private serviceElse(wrapper: Wrapper | null): string {
    const labelled = serviceOfLabels(wrapper?.labels);
    return labelled === '' ? this.fallbackService : cutService(labelled);
  }

  private rawOf(head: string, { wrapper }: OpenRecord): RawLines {
    const serviceGiven = this.options.service !== undefined;
    const serviceElse = serviceGiven || this.draft.service === '' ? '' : this.serviceElse(wrapper);
    const raw: RawLines = { head, tail: '', serviceElse, serviceGiven };
    if (wrapper !== null) raw.wrapper = wrapperAttributes(wrapper).filter((_, i) => i % 2 === 0);
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
    const { lane } = this;
    if (lane.fold(text, this.lineParts)) this.counts.folded++;
    else this.foldOver(text, lane, emit);
    this.touch(lane);
  }

  /** The record has as many lines as one may have: another of the same head goes on. */
  private foldOver(text: string, lane: OpenRecord, emit: Emit): void {
    const { trace, isIndented } = lane;
    const next: ParsedRecord = { ...(lane.record as ParsedRecord), body: text, lines: this.lineParts };
    if (next.raw !== undefined) next.raw = this.rawOf(text, lane);
    this.close(lane, emit);
    this.setResume();
    lane.begin(next, text, this.at, this.order);
    lane.trace = trace;
    lane.isIndented = isIndented;
    if (next.format === 'plain') this.counts.unparsed++;
  }

  private closeAll(emit: Emit): void {
    this.close(this.stdout, emit);
    this.close(this.stderr, emit);
  }

  private close(lane: OpenRecord, emit: Emit): void {
    if (lane.record === undefined) return;
    const { wrapper, at, order } = lane;
    const open = lane.end();
    const isObject = open.format === 'plain' && open.lines > 1 && open.body.charCodeAt(0) === 123;
    const record = isObject ? this.reread(open, lane) : open;
    if (wrapper !== null) {
      // With its time and stream, a plain line of a container has been read.
      if (record.format === 'plain') this.counts.unparsed--;
      record.format = record.format === 'plain' ? wrapper.format : `${wrapper.format}+${record.format}`;
    }
    this.counts.records++;
    this.counts.byFormat[record.format] = (this.counts.byFormat[record.format] ?? 0) + 1;
    const beside = lane === this.stdout ? this.stderr : this.stdout;
    const isAlone = beside.record === undefined;
    if (isAlone && this.held.isEmpty) emit(record, at, order);
    else this.held.add({ record, at, order }, isAlone ? Number.POSITIVE_INFINITY : beside.order, emit);
  }

  /** An object printed over several lines is JSON after all. */
  private reread(open: ParsedRecord, lane: OpenRecord): ParsedRecord {
    // Not the parser's own draft: that holds the record which this one makes room for.
    const draft = new Draft();
    if (!json(open.body, draft, this.context)) return open;
    this.counts.unparsed--;
    const record = this.finish(draft, lane);
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
