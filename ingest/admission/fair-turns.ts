/**
 * Work in turns by source: each source has a queue, and the queues are served in a circle, so that a hundred requests of one
 * source stand behind each other and not in front of somebody else's. Between two rounds sockets and timers have theirs.
 */
import type { Time } from '#bus/mod.ts';

interface Job {
  run: () => void;
}

/** Work that is done before sockets have their turn, ms: as long as they had, within bounds. */
const roundMsMin = 4;
const roundMsMax = 50;

export class FairTurns {
  private readonly time: Time;
  private readonly queues = new Map<string, Job[]>();
  private isScheduled = false;
  private endedMs = 0;

  constructor(time: Time) {
    this.time = time;
  }

  /** Sources that wait. */
  get waiting(): number {
    return this.queues.size;
  }

  /** Runs when it is this source's turn. What `work` throws rejects. */
  run<T>(source: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      const queue = this.queues.get(source);
      if (queue === undefined) this.queues.set(source, [{ run }]);
      else queue.push({ run });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.time.soon(() => this.round());
  }

  private round(): void {
    this.isScheduled = false;
    const nowMs = this.time.now();
    const untilMs = nowMs + Math.min(Math.max(nowMs - this.endedMs, roundMsMin), roundMsMax);
    // A map keeps the order in which keys came: who was served goes to its end.
    for (const [source, queue] of this.queues) {
      this.queues.delete(source);
      const job = queue.shift();
      if (queue.length > 0) this.queues.set(source, queue);
      job?.run();
      this.endedMs = this.time.now();
      if (this.endedMs >= untilMs) break;
    }
    if (this.queues.size > 0) this.schedule();
  }
}
