/** Growing byte buffer for columns. Hot path: plain loops, no allocation but on growth. */
const encoder = new TextEncoder();
const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacityBytes = 1024) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  reserve(extraBytes: number): void {
    const needed = this.length + extraBytes;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** LEB128, as in ClickHouse Native. `value` < 2^31. */
  varint(value: number): void {
    this.reserve(5);
    const bytes = this.bytes;
    let at = this.length;
    while (value >= 0x80) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** A length-prefixed string from bytes [start, end): ClickHouse Native's String. */
  slice(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.varint(size);
    this.reserve(size);
    if (size < 48) {
      // Shorter than a call to set() costs.
      const bytes = this.bytes;
      let at = this.length;
      for (let i = start; i < end; i++) bytes[at++] = source[i] as number;
    } else {
      this.bytes.set(source.subarray(start, end), this.length);
    }
    this.length += size;
  }

  string(text: string): void {
    // Three bytes per UTF-16 unit is the most UTF-8 needs.
    this.reserve(text.length * 3 + 5);
    if (text.length < 0x80 && isAscii(text)) {
      const bytes = this.bytes;
      let at = this.length;
      bytes[at++] = text.length;
      for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
      this.length = at;
      return;
    }
    const encoded = encoder.encode(text);
    this.varint(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  /** So many zero bytes, which are as many empty strings. */
  zeros(count: number): void {
    this.reserve(count);
    this.bytes.fill(0, this.length, this.length + count);
    this.length += count;
  }

  uint8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.reserve(2);
    const bytes = this.bytes;
    bytes[this.length++] = value & 0xff;
    bytes[this.length++] = (value >>> 8) & 0xff;
  }

  uint32(value: number): void {
    this.reserve(4);
    const bytes = this.bytes;
    bytes[this.length++] = value & 0xff;
    bytes[this.length++] = (value >>> 8) & 0xff;
    bytes[this.length++] = (value >>> 16) & 0xff;
    bytes[this.length++] = (value >>> 24) & 0xff;
  }

  float64(value: number): void {
    this.reserve(8);
    float[0] = value;
    const bytes = this.bytes;
    for (let i = 0; i < 8; i++) bytes[this.length++] = floatBytes[littleEndian ? i : 7 - i] as number;
  }

  /**
   * int64 nanoseconds from integer ms and nanoseconds within it. Split arithmetic, since ms × 10⁶ leaves the
   * 2^53 that doubles hold exactly, and a BigInt per record costs an allocation.
   */
  nanoseconds(ms: number, subNs: number): void {
    const high22 = Math.floor(ms / 4194304);
    const a = high22 * 1_000_000;
    const b = (ms - high22 * 4194304) * 1_000_000 + subNs;
    const aHigh = Math.floor(a / 1024);
    const low = (a - aHigh * 1024) * 4194304 + b;
    const carry = Math.floor(low / 4294967296);
    this.uint32((low - carry * 4294967296) >>> 0);
    this.uint32((aHigh + carry) | 0);
  }

  /** What was written, without a copy; valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written, as its own buffer. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Milliseconds (floored) of the int64 nanoseconds at `offset`, little-endian. Exact to 256 ns at a ms boundary. */
export function millisecondsAt(column: Uint8Array, row: number): number {
  const at = row * 8;
  const low =
    ((column[at] as number) | ((column[at + 1] as number) << 8) | ((column[at + 2] as number) << 16)) +
    (column[at + 3] as number) * 0x1000000;
  const high =
    (column[at + 4] as number) |
    ((column[at + 5] as number) << 8) |
    ((column[at + 6] as number) << 16) |
    ((column[at + 7] as number) << 24);
  return Math.floor((high * 4294967296 + low) / 1_000_000);
}

/** uint16 at a row of a little-endian column. */
export function uint16At(column: Uint8Array, row: number): number {
  return (column[row * 2] as number) | ((column[row * 2 + 1] as number) << 8);
}

/** uint32 at a row of a little-endian column. */
export function uint32At(column: Uint8Array, row: number): number {
  const at = row * 4;
  return (
    ((column[at] as number) | ((column[at + 1] as number) << 8) | ((column[at + 2] as number) << 16)) +
    (column[at + 3] as number) * 0x1000000
  );
}

/** Walks length-prefixed strings (ClickHouse Native's String column): start and end of each value in turn. */
export class StringCursor {
  private readonly bytes: Uint8Array;
  private next = 0;
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Moves to the next value. False at the end, or where the bytes are cut short or a length is absurd. */
  advance(): boolean {
    const bytes = this.bytes;
    let at = this.next;
    if (at >= bytes.length) return false;
    let size = bytes[at++] as number;
    if (size >= 0x80) {
      size &= 0x7f;
      for (let shift = 7; ; shift += 7) {
        if (at >= bytes.length || shift > 28) return false;
        const byte = bytes[at++] as number;
        size += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) break;
      }
    }
    if (at + size > bytes.length) return false;
    this.start = at;
    this.end = at + size;
    this.next = this.end;
    return true;
  }

  get atEnd(): boolean {
    return this.next === this.bytes.length;
  }
}
