/**
 * A process of the simulated cluster. Whatever reaches it (timers, answers, messages) comes through `enter`: a dead
 * process never hears of it, and a paused one hears of it when it wakes, however late that is.
 */
import type { Cancel, Host, Time } from '#bus/mod.ts';
import { startMs, type World } from './world.ts';

/** How a process's clock differs from true time. */
export interface Clock {
  skewMs: number;
  /** Share by which it runs fast. */
  drift: number;
}

export class Process {
  readonly name: string;
  readonly time: Time;
  readonly host: Host;
  alive = true;
  private readonly world: World;
  /** What waits for a process that is paused, or has just woken and comes to it. */
  private held: (() => void)[] = [];
  private asleep = false;

  constructor(world: World, name: string, clock: Clock) {
    this.world = world;
    this.name = name;
    this.host = { name: 'simulated', pid: 1, rssBytes: () => 0 };
    const rate = 1 + clock.drift;
    const enter = (run: () => void): void => this.enter(run);
    this.time = {
      now: () => Math.floor(startMs + clock.skewMs + (world.nowMs - startMs) * rate),
      after: (ms, run) => world.after(Math.max(ms, 1) / rate, () => enter(run)),
      every: (ms, run) => this.every(ms / rate, run),
      soon: (run) => {
        world.after(0.05, () => enter(run));
      },
    };
  }

  get paused(): boolean {
    return this.asleep;
  }

  enter(run: () => void): void {
    if (!this.alive) return;
    // What comes now must not overtake what waits: connections keep order.
    if (this.asleep || this.held.length > 0) this.held.push(run);
    else this.run(run);
  }

  private run(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.world.failures.push(`${this.name} died of an uncaught error: ${(error as Error).stack}`);
      this.alive = false;
    }
  }

  /** Late firings of an interval come together as one, as in Node. */
  private every(ms: number, run: () => void): Cancel {
    let cancelled = false;
    const fire = (): void =>
      this.enter(() => {
        if (cancelled) return;
        this.world.after(ms, fire);
        run();
      });
    this.world.after(ms, fire);
    return () => {
      cancelled = true;
    };
  }

  kill(): void {
    this.alive = false;
    this.held = [];
  }

  pause(): void {
    this.asleep = true;
  }

  /** What waited is heard now, in order, a little apart. */
  resume(): void {
    if (!this.asleep) return;
    this.asleep = false;
    this.catchUp();
  }

  private catchUp(): void {
    this.world.after(0.01, () => {
      if (!this.alive || this.asleep) return;
      const first = this.held[0];
      if (first === undefined) return;
      this.run(first);
      this.held.shift();
      this.catchUp();
    });
  }
}
