/**
 * A model of two tasks as few bytes, for the repository: weights in 255 steps per matrix, runs of zeros as their
 * length, lists of ids once where tasks share them. It loses precision and is deterministic both ways; `codec.ts` is
 * the exact form, for files and the object store.
 */
import type { Model } from './model.ts';
import type { NearestModel } from './nearest-learner.ts';
import type { SoftmaxModel } from './softmax-learner.ts';
import { tableOf, type Table } from './table.ts';
import type { TaskModel } from './task-model.ts';

/** Steps to each side of zero. */
const steps = 127;

class Writer {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const wider = new Uint8Array(this.#length * 2);
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.#bytes[this.#length++] = value;
  }

  /** Seven bits a byte, least first. */
  count(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.count(bytes.length);
    for (const b of bytes) this.byte(b);
  }

  exact(values: Float32Array): void {
    this.count(values.length);
    for (const b of new Uint8Array(values.slice().buffer)) this.byte(b);
  }

  /** Never falling: each as the distance to the one before. */
  rising(values: Uint32Array): void {
    this.count(values.length);
    let before = 0;
    for (const value of values) {
      this.count(value - before);
      before = value;
    }
  }

  weights(values: Float32Array): void {
    let most = 0;
    for (const value of values) most = Math.max(most, Math.abs(value));
    this.exact(Float32Array.of(most));
    this.count(values.length);
    let zeros = 0;
    const flush = (): void => {
      if (zeros > 0) {
        this.byte(0);
        this.count(zeros);
      }
      zeros = 0;
    };
    for (const value of values) {
      const step = most === 0 ? 0 : Math.round((value / most) * steps);
      if (step === 0) {
        zeros++;
        continue;
      }
      flush();
      this.byte(step + 128);
    }
    flush();
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Reads what `Writer` wrote; the bytes are our own, so nothing is checked. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    // A Buffer's own slice() would be a view.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  byte(): number {
    return this.#bytes[this.#at++] as number;
  }

  count(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const b = this.byte();
      value += (b & 127) * unit;
      if (b < 128) return value;
    }
  }

  text(): string {
    const length = this.count();
    this.#at += length;
    return new TextDecoder().decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  exact(): Float32Array {
    const length = this.count() * 4;
    this.#at += length;
    return new Float32Array(this.#bytes.slice(this.#at - length, this.#at).buffer);
  }

  rising(): Uint32Array {
    const values = new Uint32Array(this.count());
    let before = 0;
    for (let i = 0; i < values.length; i++) {
      before += this.count();
      values[i] = before;
    }
    return values;
  }

  weights(): Float32Array {
    const most = this.exact()[0] as number;
    const values = new Float32Array(this.count());
    for (let i = 0; i < values.length; ) {
      const b = this.byte();
      if (b === 0) i += this.count();
      else values[i++] = ((b - 128) / steps) * most;
    }
    return values;
  }
}

/** A list of ids, or the number of an earlier one that is the same. */
function writeIds(out: Writer, ids: Uint32Array, known: Uint32Array[]): void {
  const same = known.findIndex((other) => other.length === ids.length && other.every((id, i) => id === ids[i]));
  out.count(same + 1);
  if (same >= 0) return;
  known.push(ids);
  out.rising(ids);
}

function readTable(from: Reader, known: Table[]): Table {
  const same = from.count();
  if (same > 0) return known[same - 1] as Table;
  const table = tableOf(from.rising());
  known.push(table);
  return table;
}

/** Both learners of this shape have a table, a matrix and a bias. */
function writeMatrix(out: Writer, { table, weights, bias }: SoftmaxModel, known: Uint32Array[]): void {
  writeIds(out, table.ids, known);
  out.weights(weights);
  out.exact(bias);
}

function readMatrix(from: Reader, known: Table[]): SoftmaxModel {
  return { table: readTable(from, known), weights: from.weights(), bias: from.exact() };
}

function writeNearest(out: Writer, { table, starts, rows, shares }: NearestModel, known: Uint32Array[]): void {
  writeIds(out, table.ids, known);
  out.rising(starts);
  for (const row of rows) out.count(row);
  out.weights(shares);
}

/** Rarities follow from how many templates have a word, as `trainNearest` has it. */
function readNearest(from: Reader, known: Table[], labels: number): NearestModel {
  const table = readTable(from, known);
  const starts = from.rising();
  const rows = new Uint32Array(starts[starts.length - 1] as number);
  const frequency = new Float64Array(table.ids.length);
  for (let i = 0; i < rows.length; i++) {
    const row = from.count();
    rows[i] = row;
    frequency[row] = (frequency[row] as number) + 1;
  }
  const rarity = Float32Array.from(frequency, (f) => Math.log(1 + (starts.length - 1) / f));
  return { table, rarity, starts, rows, shares: from.weights(), labels };
}

/** @param model one without a guide */
export function packModel(model: Model): Uint8Array {
  const out = new Writer();
  const known: Uint32Array[] = [];
  for (const task of [model.severity, model.category]) {
    out.count(task.labels.length);
    for (const label of task.labels) out.text(label);
    out.exact(task.priors);
    out.exact(task.poolWeights);
    out.exact(task.poolBias);
    writeMatrix(out, task.linear, known);
    writeMatrix(out, task.bayes, known);
    writeNearest(out, task.nearest, known);
    writeMatrix(out, task.lexicon, known);
  }
  return out.take();
}

export function unpackModel(bytes: Uint8Array): Model {
  const from = new Reader(bytes);
  const known: Table[] = [];
  const task = (): TaskModel => {
    const labels = Array.from({ length: from.count() }, () => from.text());
    const [priors, poolWeights, poolBias] = [from.exact(), from.exact(), from.exact()];
    const [linear, bayes] = [readMatrix(from, known), readMatrix(from, known)];
    const nearest = readNearest(from, known, labels.length);
    return { labels, priors, poolWeights, poolBias, linear, bayes, nearest, lexicon: readMatrix(from, known) };
  };
  return { severity: task(), category: task(), guide: undefined };
}
