/**
 * Masking ahead of the ordered path: what the scanner finds in the bodies of a batch, as columns that travel with it.
 * Scanning is a third of what a partition does with a record and depends on nothing but the body, so that any gateway
 * can do it, while a service has one ordered actor.
 */
import { ByteWriter, StringCursor, uint16At } from '#protocol/byte-writer.ts';
import { maskedLineBytesMax, numbersMax } from '#protocol/limits.ts';
import { type MaskedColumns, maskVersion } from '#protocol/masked.ts';
import { LineCache } from './cache.ts';
import { templateDefaults } from './config.ts';
import { appendTokens } from './pattern.ts';
import { hashTokens, LineScanner } from './scan.ts';

/** Where lines hardly repeat, as in prose, columns would cost more than they save. */
const linesPerRowMaxDefault = 0.25;
/** Lines and numbers of one batch, bytes: beside a full batch they must fit one message even where nothing compresses. */
const maskedBytesMax = 256 * 1024;

export class Masker {
  private readonly scanner = new LineScanner(templateDefaults.maxTokens, templateDefaults.maxLineBytes);
  /** Masked line → its number in this batch. It may forget one, which then stands twice. */
  private readonly known = new LineCache(4096);
  private readonly lines = new ByteWriter(8192);
  private readonly line = new ByteWriter(1024);
  private readonly linesPerRowMax: number;

  /** @param linesPerRowMax different lines a row from which on no columns are made, default 0.25 */
  constructor(linesPerRowMax = linesPerRowMaxDefault) {
    this.linesPerRowMax = linesPerRowMax;
  }

  /** Columns for a batch's bodies; null where they would not help. */
  mask(batch: { rows: number; body: Uint8Array }): MaskedColumns | null {
    const { scanner, known, lines, line } = this;
    const { rows, body } = batch;
    known.clear();
    lines.clear();
    const index = new ByteWriter(rows * 2);
    const numbers = new ByteWriter(rows * 16);
    const counts = new Uint8Array(rows);
    const cursor = new StringCursor(body);
    const linesMax = Math.max(16, rows * this.linesPerRowMax);
    let size = 0;
    for (let row = 0; row < rows; row++) {
      cursor.advance();
      scanner.scan(body, cursor.start, cursor.end);
      let at = known.get(scanner.hashA, scanner.hashB);
      if (at < 0) {
        if (size >= linesMax) return null;
        line.clear();
        appendTokens(line, body, scanner);
        if (line.length > maskedLineBytesMax) return null;
        lines.slice(line.bytes, 0, line.length);
        at = size++;
        if (lines.length > maskedBytesMax) return null;
        known.set(scanner.hashA, scanner.hashB, at);
      }
      index.uint16(at);
      counts[row] = scanner.numberCount;
      for (let i = 0; i < scanner.numberCount; i++) numbers.float64(scanner.numbers[i]!);
    }
    if (lines.length + numbers.length > maskedBytesMax) return null;
    return { version: maskVersion, lines: lines.copy(), index: index.view(), counts, numbers: numbers.view() };
  }
}

/** Masked columns of one batch, opened for mining: `row` gives the line and the numbers of one body after the other. */
export class MaskedLines {
  readonly bytes: Uint8Array;
  /** Line n is bytes [starts[n], ends[n]) and has these hashes. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly hashA: number[] = [];
  readonly hashB: number[] = [];
  /** Of the present row: its line, and its numbers [0, numberCount). */
  line = 0;
  readonly numbers = new Float64Array(numbersMax);
  numberCount = 0;
  readonly #index: Uint8Array;
  readonly #counts: Uint8Array;
  readonly #numbers: DataView;
  #row = 0;
  #at = 0;

  /** @param columns as `validateMasked` gave them */
  constructor(columns: MaskedColumns) {
    const { lines, index, counts, numbers } = columns;
    this.bytes = lines;
    this.#index = index;
    this.#counts = counts;
    this.#numbers = new DataView(numbers.buffer, numbers.byteOffset, numbers.length);
    const cursor = new StringCursor(lines);
    while (cursor.advance()) {
      this.starts.push(cursor.start);
      this.ends.push(cursor.end);
      const { a, b } = hashTokens(lines, cursor.start, cursor.end);
      this.hashA.push(a);
      this.hashB.push(b);
    }
  }

  get size(): number {
    return this.starts.length;
  }

  /** Goes to the next row. Once for every row of the batch, in order. */
  next(): void {
    const row = this.#row++;
    this.line = uint16At(this.#index, row);
    const count = this.#counts[row]!;
    for (let i = 0; i < count; i++, this.#at += 8) this.numbers[i] = this.#numbers.getFloat64(this.#at, true);
    this.numberCount = count;
  }
}
