/**
 * Bytes of one connection that are no whole message yet. Grows by doubling, so that a message sent byte by byte costs
 * its sender's patience and not our CPU.
 */
const bytesMin = 4_096;
/** A buffer larger than this is let go once it is empty: most connections send small messages. */
const bytesKept = 64 * 1024;

export class ByteQueue {
  private buffer = Buffer.alloc(0);
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** What is queued. Valid until the next `append`. */
  get bytes(): Buffer {
    return this.buffer.subarray(this.start, this.end);
  }

  append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.buffer.length) this.makeRoom(chunk.length);
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  consume(count: number): void {
    this.start += Math.min(count, this.length);
    if (this.start < this.end) return;
    this.start = 0;
    this.end = 0;
    if (this.buffer.length > bytesKept) this.buffer = Buffer.alloc(0);
  }

  private makeRoom(more: number): void {
    const { length } = this;
    const needed = length + more;
    // At least half of the buffer free after moving, or the next bytes would move everything again.
    const target =
      needed * 2 <= this.buffer.length ? this.buffer : Buffer.allocUnsafeSlow(Math.max(needed * 2, bytesMin));
    target.set(this.buffer.subarray(this.start, this.end), 0);
    this.buffer = target;
    this.start = 0;
    this.end = length;
  }
}
