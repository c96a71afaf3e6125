/** int64 nanoseconds a row, little-endian. Hot path of the gateway: times lie close together, so most are one sum. */
import { ByteWriter } from './byte-writer.ts';

/** Between two places at which the nanoseconds are worked out whole, ms: their number stays under 2^32. */
const stepMs = 4096;

export class TimeColumn {
  private halves = new Uint32Array(1024);
  private length = 0;
  /** `baseMs` in nanoseconds is baseHigh × 2^32 + baseLow. */
  private baseMs = Number.NaN;
  private baseLow = 0;
  private baseHigh = 0;

  get bytes(): number {
    return this.length * 4;
  }

  /** @param ms integer, since 1970; @param subNs nanoseconds within it */
  add(ms: number, subNs: number): void {
    let sinceMs = ms - this.baseMs;
    if (!(sinceMs >= 0 && sinceMs < stepMs)) {
      this.startAt(Math.floor(ms / stepMs) * stepMs);
      sinceMs = ms - this.baseMs;
    }
    let low = this.baseLow + sinceMs * 1_000_000 + subNs;
    let high = this.baseHigh;
    if (low >= 4294967296) {
      low -= 4294967296;
      high++;
    }
    const at = this.length;
    if (at + 2 > this.halves.length) this.grow();
    this.halves[at] = low;
    this.halves[at + 1] = high;
    this.length = at + 2;
  }

  /** The column so far; valid until the next `add`. */
  view(): Uint8Array {
    return new Uint8Array(this.halves.buffer, 0, this.bytes);
  }

  clear(): void {
    this.length = 0;
  }

  private startAt(ms: number): void {
    const writer = new ByteWriter(8);
    writer.nanoseconds(ms, 0);
    const halves = new Uint32Array(writer.bytes.buffer);
    this.baseMs = ms;
    this.baseLow = halves[0] as number;
    this.baseHigh = halves[1] as number;
  }

  private grow(): void {
    const larger = new Uint32Array(this.halves.length * 2);
    larger.set(this.halves);
    this.halves = larger;
  }
}
