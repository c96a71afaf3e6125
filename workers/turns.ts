/**
 * Lets timers and sockets of the process have their turn while partitions are busy. Messages that have arrived are
 * taken in microtasks, so that without this a backfill keeps heartbeats, publishes and acknowledgements waiting for
 * seconds, and the coordinator takes the worker for dead.
 */
import type { Time } from '#bus/mod.ts';

export class Turns {
  private startedMs: number;
  private readonly time: Pick<Time, 'now' | 'soon'>;
  private readonly waiting: (() => void)[] = [];

  constructor(time: Pick<Time, 'now' | 'soon'>) {
    this.time = time;
    this.startedMs = time.now();
  }

  /** Null while the present turn has time left; else a promise of one of the next turns. */
  next(): Promise<void> | null {
    if (this.waiting.length === 0 && this.time.now() - this.startedMs < turnMs) return null;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) this.time.soon(() => void this.give());
    });
  }

  /** Wakes waiters in their order while the turn has time left: one a turn would make sixty partitions wait for sixty turns. */
  private async give(): Promise<void> {
    this.startedMs = this.time.now();
    do {
      this.waiting.shift()?.();
      // The woken one takes its next message some microtasks from here.
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    } while (this.waiting.length > 0 && this.time.now() - this.startedMs < turnMs);
    if (this.waiting.length > 0) this.time.soon(() => void this.give());
  }
}

const hops = 8;
/** How long partitions may go on before the event loop has its turn, ms: well under a heartbeat and an alert's budget. */
const turnMs = 10;
