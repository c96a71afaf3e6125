/**
 * Reads protobuf's wire format in place. Everything a length promises is checked against the bytes that are there;
 * what is malformed throws `WireError`, of which there is one of each kind, since making errors is slow and hostile
 * senders are fast. Source: protobuf.dev/programming-guides/encoding.
 */
export class WireError extends Error {}

const truncated = new WireError('it ends in the middle of a field');
const badVarint = new WireError('a number has more than ten bytes');
const badTag = new WireError('a field has no number or an unknown wire type');

export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class WireReader {
  readonly bytes: Buffer;
  at: number;
  end: number;
  /** Of the last varint or fixed64: its halves as unsigned 32 bits. */
  low = 0;
  high = 0;
  /** Of the last length-delimited field. */
  start = 0;
  stop = 0;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  within(at: number, end: number): void {
    this.at = at;
    this.end = end;
  }

  /** The next tag (field number × 8 + wire type), 0 at the end. */
  tag(): number {
    if (this.at >= this.end) return 0;
    const first = this.bytes[this.at] as number;
    if (first < 0x80 && first >= 8) {
      this.at++;
      return first;
    }
    this.varint();
    if (this.high !== 0 || this.low < 8) throw badTag;
    return this.low;
  }

  varint(): void {
    const { bytes } = this;
    let { at } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= this.end) throw truncated;
      const byte = bytes[at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.at = at;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw badVarint;
  }

  fixed64(): void {
    this.low = this.fixed32();
    this.high = this.fixed32();
  }

  fixed32(): number {
    const { bytes, at } = this;
    if (at + 4 > this.end) throw truncated;
    this.at = at + 4;
    return (
      ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)) +
      (bytes[at + 3] as number) * 0x1000000
    );
  }

  /** Sets `start` and `stop` to the field's content and goes on behind it. */
  delimited(): void {
    const { bytes } = this;
    let size = this.at < this.end ? (bytes[this.at] as number) : 0x80;
    if (size < 0x80) this.at++;
    else {
      this.varint();
      if (this.high !== 0) throw truncated;
      size = this.low;
    }
    this.start = this.at;
    this.stop = this.at + size;
    if (this.stop > this.end) throw truncated;
    this.at = this.stop;
  }

  /** Passes a field of no interest. Groups, which nothing has used since 2008, are malformed. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireType.varint:
        this.varint();
        return;
      case wireType.fixed64:
        this.fixed64();
        return;
      case wireType.bytes:
        this.delimited();
        return;
      case wireType.fixed32:
        this.fixed32();
        return;
      default:
        throw badTag;
    }
  }

  /** The last varint or fixed64 as the decimal digits of a signed 64-bit number. */
  signed(): string {
    if (this.high === 0) return String(this.low);
    return String(BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low)));
  }

  /** … of an unsigned one. */
  unsigned(): string {
    return this.high === 0 ? String(this.low) : String((BigInt(this.high) << 32n) | BigInt(this.low));
  }
}
