/**
 * NDJSON to record views, line by line.
 *
 * A byte scanner takes the common flat shape; whatever it is not sure of (escapes, nesting, two fields for one role,
 * an unusual time) goes through JSON.parse and the full field mapping, so both give the same records.
 * Hot path; benchmark: loadtest/bench/parts.bench.ts.
 */
import { isUtf8 } from 'node:buffer';
import { parseJsonObject } from '#analysis/formats/mod.ts';
import { RecordView, recordBytesMax, viewOf } from '#protocol/mod.ts';
import { FlatScanner } from './flat-json.ts';

const newline = 0x0a;

export class NdjsonScanner {
  readonly view = new RecordView();
  /** Line of the last record or rejection, from 1. */
  line = 0;
  /** Why the last line was rejected. */
  reason = '';
  private start = 0;
  private end = 0;
  private readonly body: Buffer;
  private readonly observedMs: number;
  private readonly service: string;
  private readonly flat: FlatScanner;
  private readonly clean: boolean;
  private at = 0;

  constructor(body: Buffer, observedMs: number, service: string) {
    this.body = body;
    this.observedMs = observedMs;
    this.service = service;
    this.flat = new FlatScanner(body, observedMs);
    // Checked once for the whole body: bytes are then copied as they are.
    this.clean = isUtf8(body);
  }

  /** The last line, valid as long as the body is. */
  get text(): Buffer {
    return this.body.subarray(this.start, this.end);
  }

  next(): 'record' | 'rejected' | 'end' {
    const { body } = this;
    for (;;) {
      if (this.at >= body.length) return 'end';
      let start = this.at;
      const found = body.indexOf(newline, start);
      let end = found < 0 ? body.length : found;
      this.at = end + 1;
      this.line++;
      while (start < end && (body[start] as number) <= 0x20) start++;
      while (end > start && (body[end - 1] as number) <= 0x20) end--;
      if (start === end) continue;
      this.start = start;
      this.end = end;
      return this.take(start, end);
    }
  }

  private take(start: number, end: number): 'record' | 'rejected' {
    const { view } = this;
    if (end - start > recordBytesMax) {
      this.reason = `the line has ${end - start} bytes, ${recordBytesMax} are allowed`;
      return 'rejected';
    }
    if (this.clean && this.flat.scan(start, end, view)) {
      if (view.service === '') view.service = this.service;
      return 'record';
    }
    let value: unknown;
    try {
      value = JSON.parse(this.body.toString('utf8', start, end));
    } catch (error) {
      this.reason = `not JSON: ${(error as Error).message}`;
      return 'rejected';
    }
    const record = parseJsonObject(value, { observedMs: this.observedMs });
    if ('reject' in record) {
      this.reason = record.reject;
      return 'rejected';
    }
    viewOf(record, { observedMs: this.observedMs, service: this.service }, view);
    return 'record';
  }
}
