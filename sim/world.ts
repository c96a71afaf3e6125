/**
 * Virtual time: a heap of events, run one instant after the other. Between instants the real event loop turns once, so
 * that every promise that can settle has settled before time moves on.
 */
import type { Cancel } from '#bus/mod.ts';
import { Random } from '#generator/mod.ts';

interface Event {
  atMs: number;
  /** Events of one instant run in the order in which they were planned. */
  order: number;
  run: (() => void) | null;
}

/** When every simulation begins: 2026-01-01T09:00:00Z, far from midnight, where ClickHouse would cut messages in two. */
export const startMs = 1_767_258_000_000;

export class World {
  nowMs = startMs;
  readonly random: Random;
  /** Of everything that happened, in order: equal for equal seeds, or something is not deterministic. */
  hash = 0x811c9dc5;
  events = 0;
  /** What broke a rule of the simulation itself: an uncaught exception, say. */
  readonly failures: string[] = [];
  private readonly onTrace: ((line: string) => void) | null;
  private readonly heap: Event[] = [];
  private planned = 0;

  constructor(seed: number, onTrace: ((line: string) => void) | null = null) {
    this.random = new Random(seed);
    this.onTrace = onTrace;
  }

  /** ms since the simulation began. */
  get elapsedMs(): number {
    return this.nowMs - startMs;
  }

  /** Notes what happened. `who` and `what` are short; `detail` is whatever tells two histories apart, `shown` is for people. */
  note(who: string, what: string, detail: string | number = '', shown = ''): void {
    let hash = this.hash;
    hash = mix(hash, who);
    hash = mix(hash, what);
    hash = typeof detail === 'number' ? Math.imul(hash ^ (detail | 0), 0x01000193) : mix(hash, detail);
    this.hash = Math.imul(hash ^ Math.round(this.elapsedMs * 64), 0x01000193);
    if (this.onTrace !== null)
      this.onTrace(
        `${(this.elapsedMs / 1_000).toFixed(4).padStart(9)} s  ${who.padEnd(14)} ${what} ${shown} ${detail}`,
      );
  }

  at(atMs: number, run: () => void): Cancel {
    const event: Event = { atMs: Math.max(atMs, this.nowMs), order: this.planned++, run };
    this.push(event);
    return () => {
      event.run = null;
    };
  }

  after(ms: number, run: () => void): Cancel {
    return this.at(this.nowMs + ms, run);
  }

  /** Runs everything up to a moment; fails at once where a process died of an error. */
  run(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          if (this.failures.length === 0 && this.instant(untilMs)) setImmediate(turn);
          else {
            this.nowMs = Math.max(this.nowMs, untilMs);
            resolve();
          }
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(turn);
    });
  }

  /** One instant: everything that is due at the next time. False where there is none up to `untilMs`. */
  private instant(untilMs: number): boolean {
    let first = this.heap[0];
    while (first !== undefined && first.run === null) {
      this.pop();
      first = this.heap[0];
    }
    if (first === undefined || first.atMs > untilMs) return false;
    this.nowMs = first.atMs;
    for (let next = this.heap[0]; next !== undefined && next.atMs === this.nowMs; next = this.heap[0]) {
      const { run } = next;
      this.pop();
      if (run === null) continue;
      this.events++;
      run();
    }
    return true;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = heap[up] as Event;
      if (!before(event, above)) break;
      heap[at] = above;
      at = up;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as Event, heap[down] as Event)) down++;
      if (!before(heap[down] as Event, last)) break;
      heap[at] = heap[down] as Event;
      at = down;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function mix(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  return mixed;
}
