/**
 * Where dead letters go: onto the DEAD stream, without anybody waiting. What is put while more waits than may, or comes
 * faster than it may, or finds no stream, is counted and gone: ingestion comes first.
 */
import { type DeadLetter, deadBytesMax, deadReasons, deadSubject, encodeDeadLetter } from '#protocol/mod.ts';
import type { Bus } from './ports.ts';
import type { Time } from './time.ts';

export interface DeadLetters {
  /** Never blocks and never throws; the bytes are copied. `id`: the same soon after is stored once, default a new one. */
  put(letter: DeadLetter, id?: string): void;
}

export const noDeadLetters: DeadLetters = { put: () => {} };

/** Keeps what it is given, for tests. */
export class CollectedDeadLetters implements DeadLetters {
  readonly letters: DeadLetter[] = [];

  put(letter: DeadLetter): void {
    this.letters.push({ ...letter, bytes: letter.bytes.slice() });
  }
}

/** Letters that wait for the stream. */
const waitingBytesMax = 8 * 1024 * 1024;
const inFlightMax = 16;
/** A sender of nothing but rubbish costs this much of the stream, and no more. */
const bytesPerSecondMax = 4 * 1024 * 1024;
const lettersPerSecondMax = 2_000;
/** A letter that the stream does not take is gone after this long; then nothing is put for as long. */
const publishTimeoutMs = 2_000;

const receiversMax = 64;

export class DeadLetterSink implements DeadLetters {
  private readonly bus: Bus;
  private readonly time: Time;
  private readonly id: string;
  private readonly waiting: { subject: string; id: string; data: Uint8Array }[] = [];
  private waitingBytes = 0;
  private inFlight = 0;
  private counter = 0;
  private pausedUntilMs = 0;
  private secondStartedMs = 0;
  private bytesThisSecond = 0;
  private lettersThisSecond = 0;
  private readonly byKind = new Map<string, number>();
  /** `set`: all that were put; `dropped`: those of them that are not on the stream. */
  readonly counts = { set: 0, dropped: 0 };

  /** `id`: unique to this process and start. */
  constructor(bus: Bus, time: Time, id: string) {
    this.bus = bus;
    this.time = time;
    this.id = id;
  }

  put(letter: DeadLetter, known?: string): void {
    this.counts.set++;
    this.count(letter);
    const now = this.time.now();
    if (now - this.secondStartedMs >= 1_000 || now < this.secondStartedMs) {
      this.secondStartedMs = now;
      this.bytesThisSecond = 0;
      this.lettersThisSecond = 0;
    }
    const bytes = Math.min(letter.bytes.length, deadBytesMax);
    if (
      now < this.pausedUntilMs ||
      this.lettersThisSecond >= lettersPerSecondMax ||
      this.bytesThisSecond + bytes > bytesPerSecondMax ||
      this.waitingBytes + bytes > waitingBytesMax
    ) {
      this.counts.dropped++;
      return;
    }
    this.lettersThisSecond++;
    this.bytesThisSecond += bytes;
    const id = known ?? `${this.id}.${++this.counter}`;
    const data = encodeDeadLetter(letter, id);
    this.waiting.push({ subject: deadSubject(letter.reason, letter.receiver), id, data });
    this.waitingBytes += data.length;
    this.work();
  }

  /** Settles when what waits was sent, or could not be. */
  async settle(): Promise<void> {
    while (this.inFlight > 0 || this.waiting.length > 0)
      await new Promise<void>((resolve) => void this.time.after(5, resolve));
  }

  /** Prometheus text: letters by reason and receiver. */
  metrics(): string {
    const lines = ['# TYPE logweir_dead_letters_total counter'];
    for (const [kind, count] of this.byKind) {
      const [reason, receiver] = kind.split(' ');
      lines.push(`logweir_dead_letters_total{reason="${reason}",receiver="${receiver}"} ${count}`);
    }
    return `${lines.join('\n')}\n`;
  }

  private count({ reason, receiver }: DeadLetter): void {
    const name = deadSubject(reason, receiver).split('.')[2];
    let kind = `${reason} ${name}`;
    if (!this.byKind.has(kind) && this.byKind.size >= receiversMax * Object.keys(deadReasons).length)
      kind = `${reason} other`;
    this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + 1);
  }

  private work(): void {
    while (this.inFlight < inFlightMax) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.inFlight++;
      this.bus.streams
        .publish(next.subject, next.data, { messageId: next.id, timeoutMs: publishTimeoutMs })
        .catch(() => {
          this.counts.dropped += 1 + this.waiting.length;
          for (const { data } of this.waiting.splice(0)) this.waitingBytes -= data.length;
          this.pausedUntilMs = this.time.now() + publishTimeoutMs;
        })
        .finally(() => {
          this.inFlight--;
          this.waitingBytes -= next.data.length;
          this.work();
        });
    }
  }
}
