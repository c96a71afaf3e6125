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

  /** Null while the present turn has time left; else a promise of one of the next turns, given out one by one. */
  next(): Promise<void> | null {
    if (this.waiting.length === 0 && this.clock() - this.startedMs < turnMs) return null;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) setImmediate(() => this.give());
    });
  }

  private give(): void {
    this.startedMs = this.clock();
    this.waiting.shift()?.();
    if (this.waiting.length > 0) setImmediate(() => this.give());
  }
}

/** How long partitions may go on before the event loop has its turn, ms: well under a heartbeat and an alert's budget. */
const turnMs = 10;
