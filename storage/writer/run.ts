/** The writer, whatever becomes of its stream: sessions one after the other, each from the record. */
import { sleep } from '#bus/mod.ts';
import { messageOf } from '../engine/error.ts';
import { isReplaced } from './record.ts';
import { type Kept, Session, type WriterOptions, type WriterStats } from './session.ts';

export interface Writer {
  stats(): Readonly<WriterStats>;
  /** Settles when the writer has ended; rejects where it was replaced or its record is unusable. */
  readonly done: Promise<void>;
  /** Inserts what was taken, commits, ends. */
  drain(): Promise<void>;
  /** Ends at once; what was in doubt is taken up by the next writer. */
  stop(): Promise<void>;
}

/** Rest before a new session after one that failed, ms. */
const restartMs = 1_000;

/** @throws LogweirError where the bus does not answer. Waits while another writer is at work, and for ClickHouse. */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const writer = new Sessions(options);
  await writer.start();
  return writer;
}

/** Sessions, one after the other: where the stream is no longer the one that was read, the next starts from the record. */
class Sessions implements Writer {
  readonly done: Promise<void>;
  private readonly options: WriterOptions;
  private readonly kept: Kept = {
    counts: {
      rows: 0,
      blocks: 0,
      duplicates: 0,
      gaps: 0,
      malformed: 0,
      setAside: 0,
      read: 0,
      committed: 0,
      lastBlockMs: 0,
    },
    lastRewindMs: 0,
  };
  private session: Session | null = null;
  private ending = false;
  private settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} };

  constructor(options: WriterOptions) {
    this.options = { ...options, owner: options.owner ?? `${process.pid}-${options.time.now()}` };
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Whoever awaits `done` sees the failure; nobody doing so must not end the process.
    this.done.catch(() => {});
  }

  stats(): Readonly<WriterStats> {
    return { ...this.kept.counts, failingMs: 0, lagMs: 0, waitingRows: 0, ...this.session?.gauges() };
  }

  async start(): Promise<void> {
    await this.open();
    void this.run();
  }

  private async open(): Promise<void> {
    const session = new Session(this.options, this.kept);
    this.session = session;
    await session.open();
  }

  private async run(): Promise<void> {
    const { log, time } = this.options;
    for (;;) {
      try {
        await this.session?.done;
        return this.settle.resolve();
      } catch (error) {
        if (this.ending) return this.settle.resolve();
        if (isReplaced(error)) {
          log.error(messageOf(error));
          return this.settle.reject(error);
        }
        log.warn(`The storage writer starts over from its record: ${messageOf(error)}`);
      }
      await sleep(time, restartMs);
      // What goes wrong here is seen where the session's end is awaited.
      if (!this.ending) await this.open().catch((error) => this.session?.fail(error));
    }
  }

  async drain(): Promise<void> {
    this.ending = true;
    await this.session?.drain();
    this.settle.resolve();
  }

  async stop(): Promise<void> {
    this.ending = true;
    await this.session?.stop();
    this.settle.resolve();
  }
}
