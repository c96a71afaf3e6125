/** A steady stream of numbered requests by the clock, held back while the cluster is too far behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery } from './delivery.ts';
import { address, type NumberedBody } from './requests.ts';

export interface Sent {
  request: number;
  lines: number;
  /** Wall clock of its records, ms. */
  eventMs: number;
  /** Wall clock of the acknowledgement, ms; null where none came: its records may be stored or not. */
  acknowledgedMs: number | null;
}

export interface StreamOptions {
  delivery: Delivery;
  bodies: readonly NumberedBody[];
  connections: number;
  /** Records per second wanted. */
  ratePerSecond: number;
  /** Names the run in the idempotency keys. */
  name: string;
  signal: AbortSignal;
  /** First number of this stream's requests. */
  firstRequest?: number;
}

export class LoadStream {
  /** In order of sending. */
  readonly sent: Sent[] = [];
  acknowledgedRecords = 0;
  rejected = 0;
  /** Requests that took more than one attempt. */
  retried = 0;
  /** How long sending was held back because the cluster was behind, ms. */
  heldBackMs = 0;
  private held = false;
  private paused = false;
  private stopped = false;
  private gaveUp = false;
  private readonly options: StreamOptions;
  private readonly running: Promise<unknown>;
  /** When the next request is due, monotonic ms. */
  private dueMs = performance.now();

  constructor(options: StreamOptions) {
    this.options = options;
    const { bodies, connections } = options;
    if (bodies.length < connections) throw new RangeError('fewer bodies than connections');
    this.running = Promise.all(Array.from({ length: connections }, (_, connection) => this.run(connection)));
  }

  /** Makes senders wait, or lets them go on. */
  hold(held: boolean): void {
    this.held = held;
  }

  private async run(connection: number): Promise<void> {
    const { bodies, connections, ratePerSecond, delivery, name, signal, firstRequest = 0 } = this.options;
    for (let turn = 0; !this.stopped && !signal.aborted; turn++) {
      const body = bodies[connection + connections * (turn % Math.floor(bodies.length / connections))] as NumberedBody;
      await this.due((body.lines / ratePerSecond) * 1_000);
      if (this.stopped || signal.aborted) return;
      const request = firstRequest + connection + connections * turn;
      const eventMs = Date.now();
      const entry: Sent = { request, lines: body.lines, eventMs, acknowledgedMs: null };
      this.sent.push(entry);
      const bytes = address(body, request, eventMs);
      const done = await delivery.deliver(bytes, `${name}-${request}`, connection, () => this.gaveUp);
      if (done === null) return;
      entry.acknowledgedMs = Date.now();
      this.acknowledgedRecords += body.lines;
      this.rejected += done.rejected;
      if (done.attempts > 1) this.retried++;
    }
  }

  /** Waits for the next time by the clock. What was late for more than a second is not made up for. */
  private async due(everyMs: number): Promise<void> {
    const now = performance.now();
    this.dueMs = Math.max(this.dueMs + everyMs, now - 1_000);
    if (this.dueMs > now) await sleep(this.dueMs - now);
    while ((this.held || this.paused) && !this.stopped) await sleep(20);
  }

  /** Sends nothing more; resolves when the last request was acknowledged, or given up after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true;
    const late = setTimeout(() => {
      this.gaveUp = true;
    }, graceMs);
    await this.running;
    clearTimeout(late);
  }

  /** Resolves when every request under way was answered; no other is sent until `resume`. */
  async pause(): Promise<void> {
    this.paused = true;
    while (this.sent.some(({ acknowledgedMs }) => acknowledgedMs === null) && !this.options.signal.aborted)
      await sleep(20);
  }

  resume(): void {
    this.paused = false;
  }
}

/** Bounds of the backlog, in seconds of the wanted rate: what a cluster that is too slow may owe storage. */
const backlogSeconds = { hold: 25, goOn: 12 };

/** Whether senders wait, from what is acknowledged and not stored; between the bounds it stays as it was. */
export function holdBack(held: boolean, backlogRecords: number, ratePerSecond: number): boolean {
  if (backlogRecords > backlogSeconds.hold * ratePerSecond) return true;
  if (backlogRecords < backlogSeconds.goOn * ratePerSecond) return false;
  return held;
}
