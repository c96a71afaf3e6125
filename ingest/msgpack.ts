/**
 * MessagePack as strangers send it: framing of values that come in pieces, and reading of them with bounded depth. Not
 * msgpackr, which packs our own messages: its extensions are one table for the whole process, where type 0, the forward
 * protocol's time, means undefined, and it follows records that a sender defines.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** Maps and lists within each other. */
const depthMax = 64;

export class MsgpackError extends Error {}

export type MsgpackKind = 'nil' | 'boolean' | 'integer' | 'float' | 'string' | 'binary' | 'array' | 'map' | 'extension';

/** A value of an extension type. */
export class Extension {
  readonly type: number;
  readonly data: Buffer;

  constructor(type: number, data: Buffer) {
    this.type = type;
    this.data = data;
  }

  /** As text, where a field holds one. */
  toJSON(): string {
    return `ext ${this.type} ${this.data.toString('base64')}`;
  }
}

/** What stands in front of a value: its kind, the bytes of this, and the bytes or items behind it. */
class Head {
  kind: MsgpackKind = 'nil';
  headBytes = 1;
  /** Payload bytes, or items of an array, or pairs of a map. */
  size = 0;

  /** False where the head itself is cut. @throws MsgpackError */
  read(bytes: Buffer, at: number): boolean {
    const byte = bytes[at];
    if (byte === undefined) return false;
    if (byte < 0x80 || byte >= 0xe0) return this.set('integer', 1, 0);
    if (byte < 0x90) return this.set('map', 1, byte & 0x0f);
    if (byte < 0xa0) return this.set('array', 1, byte & 0x0f);
    if (byte < 0xc0) return this.set('string', 1, byte & 0x1f);
    switch (byte) {
      case 0xc0:
        return this.set('nil', 1, 0);
      case 0xc2:
      case 0xc3:
        return this.set('boolean', 1, 0);
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.sized('binary', bytes, at, 1 << (byte - 0xc4), 0);
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.sized('extension', bytes, at, 1 << (byte - 0xc7), 1);
      case 0xca:
        return this.set('float', 1, 4);
      case 0xcb:
        return this.set('float', 1, 8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.set('integer', 1, 1 << (byte - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.set('integer', 1, 1 << (byte - 0xd0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.set('extension', 2, 1 << (byte - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.sized('string', bytes, at, 1 << (byte - 0xd9), 0);
      case 0xdc:
        return this.sized('array', bytes, at, 2, 0);
      case 0xdd:
        return this.sized('array', bytes, at, 4, 0);
      case 0xde:
        return this.sized('map', bytes, at, 2, 0);
      case 0xdf:
        return this.sized('map', bytes, at, 4, 0);
      default:
        throw new MsgpackError('a byte that MessagePack never uses');
    }
  }

  private sized(kind: MsgpackKind, bytes: Buffer, at: number, sizeBytes: number, more: number): boolean {
    if (at + 1 + sizeBytes > bytes.length) return false;
    return this.set(kind, 1 + sizeBytes + more, bytes.readUIntBE(at + 1, sizeBytes));
  }

  private set(kind: MsgpackKind, headBytes: number, size: number): true {
    this.kind = kind;
    this.headBytes = headBytes;
    this.size = size;
    return true;
  }

  /** Values within this one that follow its head. */
  get children(): number {
    return this.kind === 'array' ? this.size : this.kind === 'map' ? this.size * 2 : 0;
  }
}

/** Finds where a value ends, going on where it stopped when more bytes came. */
export class MsgpackFrame {
  private readonly head = new Head();
  private at = 0;
  /** Values still to come, by depth. */
  private open: number[] = [1];

  /** Bytes of the first value, or -1 while they are not all there. @throws MsgpackError */
  end(bytes: Buffer, bytesMax: number): number {
    const { head, open } = this;
    while (open.length > 0) {
      if (this.at > bytesMax) throw new MsgpackError('too long');
      const last = open.length - 1;
      if (open[last] === 0) {
        open.pop();
        continue;
      }
      if (this.at >= bytes.length || !head.read(bytes, this.at)) return -1;
      const { children } = head;
      this.at += head.headBytes + (children > 0 || head.kind === 'array' || head.kind === 'map' ? 0 : head.size);
      (open[last] as number)--;
      if (children === 0) continue;
      if (open.length >= depthMax) throw new MsgpackError('nested too deep');
      open.push(children);
    }
    if (this.at > bytesMax) throw new MsgpackError('too long');
    return this.at <= bytes.length ? this.at : -1;
  }

  /** For the next value, at the start of what is then there. */
  reset(): void {
    this.at = 0;
    this.open = [1];
  }
}

/** Reads values one after another. Everything throws MsgpackError where the bytes are cut or are something else. */
export class MsgpackReader {
  at: number;
  private readonly bytes: Buffer;
  private readonly head = new Head();

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Kind of the value that comes next. */
  kind(): MsgpackKind {
    return this.peek().kind;
  }

  /** Opens an array: how many values follow. */
  array(): number {
    const { kind, headBytes, size } = this.peek();
    if (kind !== 'array') throw new MsgpackError(`expected an array, found ${kind}`);
    this.at += headBytes;
    return size;
  }

  /** Bytes of a string or binary, not copied. */
  raw(): Buffer {
    const { kind, headBytes, size } = this.peek();
    if (kind !== 'string' && kind !== 'binary') throw new MsgpackError(`expected text, found ${kind}`);
    return this.payload(headBytes, size);
  }

  /** From there to where the reader stands, not copied. */
  from(start: number): Buffer {
    return this.bytes.subarray(start, this.at);
  }

  skip(): void {
    const size = new MsgpackFrame().end(this.bytes.subarray(this.at), this.bytes.length);
    if (size < 0) throw new MsgpackError('cut short');
    this.at += size;
  }

  /** The next value, of so many bytes at most: what is larger is never built. */
  valueWithin(bytesMax: number): unknown {
    const start = this.at;
    if (this.bytes.length - start > bytesMax) {
      this.skip();
      if (this.at - start > bytesMax) throw new MsgpackError('too long');
      this.at = start;
    }
    return this.value();
  }

  /**
   * The next value. Maps become objects without a prototype, binary becomes text, integers that doubles do not hold become
   * text of their digits.
   */
  value(depth = 0): unknown {
    if (depth > depthMax) throw new MsgpackError('nested too deep');
    const { kind, headBytes, size } = this.peek();
    const first = this.bytes[this.at] as number;
    switch (kind) {
      case 'nil':
        this.at++;
        return null;
      case 'boolean':
        this.at++;
        return first === 0xc3;
      case 'integer':
        return this.integer(first, this.payload(headBytes, size));
      case 'float': {
        const data = this.payload(headBytes, size);
        return size === 4 ? data.readFloatBE(0) : data.readDoubleBE(0);
      }
      case 'string':
      case 'binary':
        return this.payload(headBytes, size).toString('utf8');
      case 'extension': {
        const type = this.bytes.readInt8(this.at + headBytes - 1);
        return new Extension(type, this.payload(headBytes, size));
      }
      case 'array': {
        this.at += headBytes;
        const items: unknown[] = [];
        for (let i = 0; i < size; i++) items.push(this.value(depth + 1));
        return items;
      }
      case 'map': {
        this.at += headBytes;
        const object = Object.create(null) as Record<string, unknown>;
        for (let i = 0; i < size; i++) {
          const key = this.value(depth + 1);
          const value = this.value(depth + 1);
          object[typeof key === 'string' ? key : JSON.stringify(key)] =
            value instanceof Extension ? value.toJSON() : value;
        }
        return object;
      }
      default:
        return kind satisfies never;
    }
  }

  private integer(first: number, data: Buffer): number | string {
    if (first < 0x80) return first;
    if (first >= 0xe0) return first - 0x100;
    if (data.length < 8) return first >= 0xd0 ? data.readIntBE(0, data.length) : data.readUIntBE(0, data.length);
    const exact = first >= 0xd0 ? data.readBigInt64BE(0) : data.readBigUInt64BE(0);
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : String(exact);
  }

  private peek(): Head {
    if (!this.head.read(this.bytes, this.at)) throw new MsgpackError('cut short');
    return this.head;
  }

  private payload(headBytes: number, size: number): Buffer {
    const start = this.at + headBytes;
    if (start + size > this.bytes.length) throw new MsgpackError('cut short');
    this.at = start + size;
    return this.bytes.subarray(start, this.at);
  }
}
