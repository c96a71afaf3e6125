/** Records of two streams in the order in which they begin: what ends while one that began before it is open waits for that. */
import type { ParsedRecord } from './draft.ts';

/**
 * `at`: the place that `push` was given with the record's first line. `order`: the place where that line was whole, or one
 * within the line there; it ascends from record to record, which `at` does not where lines were split.
 */
export type Emit = (record: ParsedRecord, at: number, order: number) => void;

interface Finished {
  record: ParsedRecord;
  at: number;
  order: number;
}

export class InOrder {
  /** In their order. */
  private readonly held: Finished[] = [];

  get isEmpty(): boolean {
    return this.held.length === 0;
  }

  /** Takes a record that ended. `openOrder`: of the one that is open beside it, Infinity where there is none. */
  add(finished: Finished, openOrder: number, emit: Emit): void {
    const { held } = this;
    const before = held.findIndex(({ order }) => order > finished.order);
    held.splice(before < 0 ? held.length : before, 0, finished);
    const ready = held.findIndex(({ order }) => order > openOrder);
    for (const { record, at, order } of held.splice(0, ready < 0 ? held.length : ready)) emit(record, at, order);
  }
}
