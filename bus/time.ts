/**
 * Time as a port: what a shell knows of clocks and timers. A simulation passes its own, and a whole cluster then runs
 * in virtual time.
 */

export type Cancel = () => void;

export interface Time {
  /** Wall clock, ms since 1970. A plain function: `time.now` may be handed on. */
  readonly now: () => number;
  /** Runs once after so many ms. */
  after(ms: number, run: () => void): Cancel;
  /** Runs every so many ms, first after one of them. */
  every(ms: number, run: () => void): Cancel;
  /** Runs when timers and sockets have had their turn. */
  soon(run: () => void): void;
}

export const systemTime: Time = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  soon(run) {
    setImmediate(run);
  },
};

export function sleep(time: Time, ms: number): Promise<void> {
  return new Promise((resolve) => {
    time.after(ms, resolve);
  });
}
