/** Tells of a failure that repeats: at once, then once a minute with how often, and when it is over. */
const everyMs = 60_000;

export interface Sink {
  info(message: string): void;
  error(message: string): void;
}

export class Complaint {
  /** Failures in a row; 0 = all is well. */
  failures = 0;
  private sinceMs = 0;
  private toldMs = 0;
  private readonly log: Sink;
  private readonly now: () => number;

  constructor(log: Sink, now: () => number) {
    this.log = log;
    this.now = now;
  }

  /** How long it has failed, ms. */
  get forMs(): number {
    return this.failures === 0 ? 0 : this.now() - this.sinceMs;
  }

  failed(message: string): void {
    const now = this.now();
    this.failures++;
    if (this.failures === 1) this.sinceMs = now;
    else if (now - this.toldMs < everyMs) return;
    this.toldMs = now;
    const often =
      this.failures === 1 ? '' : ` (${this.failures} times in ${Math.round((now - this.sinceMs) / 1_000)} s)`;
    this.log.error(`${message}${often}`);
  }

  /** @param message told only where something had failed */
  over(message: string): void {
    if (this.failures === 0) return;
    this.log.info(`${message} It had failed ${this.failures} times in ${Math.round(this.forMs / 1_000)} s.`);
    this.failures = 0;
  }
}
