/** A record that further lines may belong to. A parser has one for each stream of its source, used for one record after another. */
import { recordBytesMax, severityClass } from '#protocol/mod.ts';
import type { Wrapper } from './container.ts';
import type { ParsedRecord } from './draft.ts';
import { isClosing, isExceptionLine, isUncaughtHeader, type TraceKind, traceAfter, traceOpenedBy } from './folding.ts';

/** Physical lines of one record; a longer run of continuations goes on in another record of the same head. */
export const recordLinesMax = 1000;

export class OpenRecord {
  /** Undefined where none is open. */
  record: ParsedRecord | undefined;
  /** What was around its first line. */
  wrapper: Wrapper | null = null;
  /** Where it begins, and the place that it is ordered by. */
  at = 0;
  order = 0;
  trace: TraceKind = 'none';
  /** Its first line is indented: then indentation says nothing. */
  isIndented = false;
  /** Characters of its lines. */
  chars = 0;
  /** When the runtime read its last line, ms. */
  lastMs = 0;
  /** Lines folded into it, joined once at its end. */
  private tail: string[] = [];
  private tailChars = 0;

  /** `text`: its first line. */
  begin(record: ParsedRecord, text: string, at: number, order: number): void {
    this.record = record;
    this.at = at;
    this.order = order;
    this.chars = text.length;
    const code = text.charCodeAt(0);
    this.isIndented = code === 32 || code === 9;
    this.trace = traceOpenedBy(text);
    if (this.trace === 'none') this.trace = traceOpenedBy(record.body);
  }

  /** Adds a line of so many physical ones. False where there is no room: it begins another record of the same head. */
  fold(text: string, parts: number): boolean {
    const record = this.record as ParsedRecord;
    const chars = this.tailChars + text.length + 1;
    // Three bytes a character at most: an upper bound that needs no second pass.
    const isFull = (chars + record.body.length) * 3 > recordBytesMax && !this.hasRoom(record, text);
    if (isFull || record.lines >= recordLinesMax) return false;
    this.tail.push(text);
    this.tailChars = chars;
    this.chars += text.length + 1;
    record.lines += parts;
    this.trace = traceAfter(text, this.trace);
    return true;
  }

  /** For a line that no format fits: whether this is where it belongs. */
  continues(text: string): boolean {
    const record = this.record as ParsedRecord;
    const code = text.charCodeAt(0);
    if (code === 32 || code === 9) return !this.isIndented;
    if (this.tail.length > 0 && isClosing(text)) return true;
    if (record.format === 'json') return false;
    if (isExceptionLine(text, 0, true)) return true;
    // A crash of its own after plain progress messages; a trace behind a warning or worse belongs to that.
    const level = severityClass(record.severityNumber);
    const severe = level === 'WARN' || level === 'ERROR' || level === 'FATAL';
    if (isUncaughtHeader(text)) return severe && record.format !== 'plain';
    return severe && record.lines === 1 && isExceptionLine(text, 0, false) && /^\w+(?:Error|Exception)\b/.test(text);
  }

  /** Takes the record out, with its lines joined. */
  end(): ParsedRecord {
    const record = this.record as ParsedRecord;
    this.record = undefined;
    this.trace = 'none';
    if (this.tail.length > 0) {
      const tail = this.tail.join('\n');
      record.body = record.body === '' ? tail.trim() : `${record.body}\n${tail}`;
      if (record.raw !== undefined) record.raw.tail = tail;
      this.tail = [];
      this.tailChars = 0;
    }
    return record;
  }

  /** Exact, so called only near the limit. */
  private hasRoom(record: ParsedRecord, text: string): boolean {
    let bytes = Buffer.byteLength(record.body) + Buffer.byteLength(text) + 1;
    for (const line of this.tail) bytes += Buffer.byteLength(line) + 1;
    return bytes <= recordBytesMax;
  }
}
