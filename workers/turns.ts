/**
 * Lets timers and sockets of the process have their turn while partitions are busy. Messages that have arrived are
 * taken in microtasks, so that without this a backfill keeps heartbeats, publishes and acknowledgements waiting for
 * seconds, and the coordinator takes the worker for dead.
 */
export class Turns {
  private startedMs: number;
  private readonly clock: () => number;
  private readonly waiting: (() => void)[] = [];

  constructor(clock: () => number) {
    this.clock = clock;
    this.startedMs = clock();
  }

  /** Null while the present turn has time left; else a promise of one of the next turns. */
  next(): Promise<void> | null {
    if (this.waiting.length === 0 && this.clock() - this.startedMs < turnMs) return null;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) setImmediate(() => void this.give());
    });
  }

  /** Wakes waiters in their order while the turn has time left: one a turn would make sixty partitions wait for sixty turns. */
  private async give(): Promise<void> {
    this.startedMs = this.clock();
    do {
      this.waiting.shift()?.();
      // The woken one takes its next message some microtasks from here.
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    } while (this.waiting.length > 0 && this.clock() - this.startedMs < turnMs);
    if (this.waiting.length > 0) setImmediate(() => void this.give());
  }
}

const hops = 8;
/** How long partitions may go on before the event loop has its turn, ms: well under a heartbeat and an alert's budget. */
const turnMs = 10;
