/**
 * Keeps the last part of a full stream free for those who must get through: a stream takes its last byte from whoever
 * comes first, and without ticks and control messages windows would not close and the cluster would not know of it.
 * Who sends in bulk asks here before each message.
 */
import { LogweirError, type StreamName } from '#protocol/mod.ts';
import type { Streams } from './ports.ts';
import type { Time } from './time.ts';

/** Ticks of 64 partitions take 3 kB/s: room for hours, also when several senders look at the same moment. */
const reserveBytesMax = 64 * 1024 ** 2;
const reserveShare = 1 / 16;
/** How old a look at the stream may be, ms; less where the stream is nearly full, as others send too. */
const lookEveryMs = 1_000;
const lookEveryMsNearlyFull = 100;
const nearlyFull = 0.75;

export const reserveBytesOf = (bytesMax: number): number => Math.min(bytesMax * reserveShare, reserveBytesMax);

export class Room {
  private readonly streams: Streams;
  private readonly stream: StreamName;
  private readonly time: Time;
  private lookedMs = Number.NEGATIVE_INFINITY;
  private bytes = 0;
  private limit = Number.POSITIVE_INFINITY;
  private looking: Promise<void> | null = null;

  constructor(streams: Streams, stream: StreamName, time: Time) {
    this.streams = streams;
    this.stream = stream;
    this.time = time;
  }

  /** To be awaited before a message of so many bytes. @throws LogweirError STREAM_FULL | what the server says */
  async take(bytes: number): Promise<void> {
    const share = (this.bytes + bytes) / this.limit;
    const old = this.time.now() - this.lookedMs;
    if (old >= (share >= nearlyFull ? lookEveryMsNearlyFull : lookEveryMs)) await this.look();
    if (this.bytes + bytes > this.limit)
      throw new LogweirError(
        'STREAM_FULL',
        `The ${this.stream} stream is full: what is left is kept for ticks and control messages.`,
        'Readers must catch up; add workers, or raise the stream size in the configuration.',
      );
    this.bytes += bytes;
  }

  private look(): Promise<void> {
    this.looking ??= this.streams
      .info(this.stream)
      .then(({ bytes, bytesMax }) => {
        this.bytes = bytes;
        this.limit = bytesMax - reserveBytesOf(bytesMax);
        this.lookedMs = this.time.now();
      })
      .finally(() => {
        this.looking = null;
      });
    return this.looking;
  }
}
