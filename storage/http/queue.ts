/** A bounded number of queries at once, a bounded number waiting, for a bounded time. */
export class QueryQueue {
  private running = 0;
  private readonly waiting: { start: () => void; refuse: () => void; timer: NodeJS.Timeout }[] = [];
  private readonly runningMax: number;
  private readonly waitingMax: number;
  private readonly waitMs: number;

  constructor(runningMax: number, waitingMax: number, waitMs: number) {
    this.runningMax = runningMax;
    this.waitingMax = waitingMax;
    this.waitMs = waitMs;
  }

  /** A place, given back by calling what is returned; null where there is none in time. */
  async enter(): Promise<(() => void) | null> {
    if (this.running >= this.runningMax) {
      if (this.waiting.length >= this.waitingMax || !(await this.wait())) return null;
    } else this.running++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.leave();
    };
  }

  private wait(): Promise<boolean> {
    return new Promise((resolve) => {
      const entry = {
        start: () => {
          clearTimeout(entry.timer);
          resolve(true);
        },
        refuse: () => {
          this.waiting.splice(this.waiting.indexOf(entry), 1);
          resolve(false);
        },
        timer: setTimeout(() => entry.refuse(), this.waitMs),
      };
      this.waiting.push(entry);
    });
  }

  /** The place passes to who waits longest. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running--;
    else next.start();
  }
}
