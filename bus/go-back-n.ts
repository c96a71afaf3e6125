/**
 * Ordered publishing over a window of unacknowledged messages. After a failed or unknown publish, that message and
 * all after it are sent again, in order: an acknowledgement of a later message counts for nothing, since readers
 * refuse what came before its predecessor (R3). The failed one goes alone until it is acknowledged: a full stream takes
 * small messages where it refused a large one, and would be filled at every try with what readers refuse.
 */
import type { LogweirError } from '#protocol/mod.ts';

interface Entry {
  subject: string;
  data: Uint8Array;
  /** Counts the times it was sent; only the last one's outcome is of interest, 0 = it is to be sent. */
  sending: number;
  acknowledged: boolean;
  resolve: () => void;
}

export interface GoBackNOptions {
  publish: (subject: string, data: Uint8Array) => Promise<unknown>;
  /** Waits ms before sending again. */
  sleep: (ms: number) => Promise<void>;
  /** Messages in flight at most. */
  window: number;
  /** Bytes queued (in flight included) from which `send` makes its caller wait. */
  queueBytesMax: number;
  onRetry?: (error: LogweirError | Error, queued: number) => void;
}

const backoffMsMin = 50;
const backoffMsMax = 2_000;

export class GoBackN {
  private readonly options: GoBackNOptions;
  private queue: Entry[] = [];
  /** Index of the first entry that is to be sent. */
  private next = 0;
  private sendings = 0;
  private backoffMs = backoffMsMin;
  private waiting = false;
  /** The message that failed, until it is acknowledged: nothing behind it is sent. */
  private failed: Entry | null = null;
  private stopped = false;
  private bytes = 0;
  private roomWaiters: (() => void)[] = [];
  private tail: Promise<void> = Promise.resolve();
  private readonly whenStopped: Promise<void>;
  private endWaiting: () => void = () => {};

  constructor(options: GoBackNOptions) {
    this.options = options;
    this.whenStopped = new Promise((resolve) => {
      this.endWaiting = resolve;
    });
  }

  get queuedBytes(): number {
    return this.bytes;
  }

  get queued(): number {
    return this.queue.length;
  }

  /** Queues a message. The result settles when it is acknowledged; never rejects: publishing goes on until `stop`. */
  send(subject: string, data: Uint8Array): Promise<void> {
    this.bytes += data.length;
    const sent = new Promise<void>((resolve) => {
      this.queue.push({ subject, data, sending: 0, acknowledged: false, resolve });
    });
    this.tail = sent;
    this.pump();
    return sent;
  }

  /** Settles when the queue has room again. */
  room(): Promise<void> {
    if (this.bytes < this.options.queueBytesMax || this.stopped) return Promise.resolve();
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  /** Settles when everything queued until now is acknowledged (or publishing was stopped). */
  idle(): Promise<void> {
    return Promise.race([this.tail, this.whenStopped]);
  }

  /** Abandons what is queued. Whoever waits is woken; unacknowledged sends never settle. */
  stop(): void {
    this.stopped = true;
    this.queue = [];
    this.bytes = 0;
    this.wake(this.roomWaiters.splice(0));
    this.endWaiting();
  }

  private wake(waiters: (() => void)[]): void {
    for (const waiter of waiters) waiter();
  }

  private pump(): void {
    while (!this.waiting && !this.stopped && this.next < this.queue.length && this.next < this.options.window) {
      if (this.failed !== null && this.failed.sending !== 0) return;
      const entry = this.queue[this.next] as Entry;
      const sending = ++this.sendings;
      entry.sending = sending;
      this.next++;
      this.options.publish(entry.subject, entry.data).then(
        () => this.onAck(entry, sending),
        (error: Error) => this.onFailure(entry, sending, error),
      );
    }
  }

  private onAck(entry: Entry, sending: number): void {
    if (sending !== entry.sending || this.stopped) return;
    entry.acknowledged = true;
    this.backoffMs = backoffMsMin;
    if (entry === this.failed) this.failed = null;
    let done = 0;
    while (done < this.queue.length && (this.queue[done] as Entry).acknowledged) done++;
    if (done === 0) return this.pump();
    const settled = this.queue.splice(0, done);
    this.next -= done;
    for (const one of settled) {
      this.bytes -= one.data.length;
      one.resolve();
    }
    if (this.bytes < this.options.queueBytesMax) this.wake(this.roomWaiters.splice(0));
    this.pump();
  }

  /** What was sent before it is still under way, and heard of as usual: it may yet fail, and then goes first. */
  private onFailure(entry: Entry, sending: number, error: Error): void {
    if (sending !== entry.sending || this.stopped) return;
    this.next = this.queue.indexOf(entry);
    for (let i = this.next; i < this.queue.length; i++) {
      const later = this.queue[i] as Entry;
      later.sending = 0;
      later.acknowledged = false;
    }
    this.failed = entry;
    this.options.onRetry?.(error, this.queue.length);
    if (this.waiting) return;
    this.waiting = true;
    const pause = this.backoffMs;
    this.backoffMs = Math.min(this.backoffMs * 2, backoffMsMax);
    void this.options.sleep(pause).then(() => {
      this.waiting = false;
      this.pump();
    });
  }
}
