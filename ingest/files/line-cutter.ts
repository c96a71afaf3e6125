/**
 * Lines of a file with the place of each in it. UTF-8 by newline; UTF-16 by newline units, handed on as UTF-8. A CR
 * before a newline is left on, as `LineSplitter` leaves it.
 */
import { recordBytesMax } from '#protocol/mod.ts';
import { type Line, LineSplitter, OverlongLine } from './line-splitter.ts';

export type Encoding = 'utf8' | 'utf16le' | 'utf16be';

export interface CutLines {
  lines: Line[];
  /** Where each line begins in the file, bytes. */
  starts: number[];
}

export interface LineCutter {
  /** Bytes of the unfinished line. */
  readonly pending: number;
  push(chunk: Uint8Array): CutLines;
  /** The last line, where no newline ended it. */
  flush(): CutLines;
}

/** @param at where the first byte lies in the file */
export function lineCutter(encoding: Encoding, at: number): LineCutter {
  return encoding === 'utf8' ? new Utf8Cutter(at) : new Utf16Cutter(encoding, at);
}

class Utf8Cutter implements LineCutter {
  private readonly splitter = new LineSplitter();
  private start: number;

  constructor(at: number) {
    this.start = at;
  }

  get pending(): number {
    return this.splitter.pending;
  }

  push(chunk: Uint8Array): CutLines {
    return this.place(this.splitter.push(chunk), 1);
  }

  flush(): CutLines {
    return this.place(this.splitter.flush(), 0);
  }

  private place(lines: Line[], newlineBytes: number): CutLines {
    const starts: number[] = [];
    for (const line of lines) {
      starts.push(this.start);
      this.start += (line instanceof OverlongLine ? line.sizeBytes : line.length) + newlineBytes;
    }
    return { lines, starts };
  }
}

/** UTF-16 takes up to two bytes where UTF-8 takes one. */
const utf16BytesMax = 2 * recordBytesMax;

class Utf16Cutter implements LineCutter {
  private readonly newline: Buffer;
  private readonly decoder: InstanceType<typeof TextDecoder>;
  private readonly encoder = new TextEncoder();
  private start: number;
  private rest: Buffer = Buffer.alloc(0);
  /** Bytes of the unfinished line that were let go, because it is too long already. */
  private dropped = 0;

  constructor(encoding: 'utf16le' | 'utf16be', at: number) {
    this.start = at;
    this.newline = Buffer.from(encoding === 'utf16le' ? [10, 0] : [0, 10]);
    this.decoder = new TextDecoder(encoding === 'utf16le' ? 'utf-16le' : 'utf-16be');
  }

  get pending(): number {
    return this.dropped + this.rest.length;
  }

  push(chunk: Uint8Array): CutLines {
    const cut: CutLines = { lines: [], starts: [] };
    const searched = this.rest.length & ~1;
    let data = Buffer.concat([this.rest, chunk]);
    for (let end = this.findNewline(data, searched); end >= 0; end = this.findNewline(data, 0)) {
      this.finish(data.subarray(0, end), this.newline.length, cut);
      data = data.subarray(end + this.newline.length);
    }
    if (this.dropped + data.length > utf16BytesMax) {
      const kept = data.length & 1;
      this.dropped += data.length - kept;
      data = data.subarray(data.length - kept);
    }
    this.rest = Buffer.from(data);
    return cut;
  }

  flush(): CutLines {
    const cut: CutLines = { lines: [], starts: [] };
    if (this.pending > 0) this.finish(this.rest, 0, cut);
    this.rest = Buffer.alloc(0);
    return cut;
  }

  private finish(bytes: Uint8Array, newlineBytes: number, cut: CutLines): void {
    const sizeBytes = this.dropped + bytes.length;
    const line = this.dropped === 0 ? this.encoder.encode(this.decoder.decode(bytes)) : null;
    cut.lines.push(line === null || line.length > recordBytesMax ? new OverlongLine(sizeBytes) : line);
    cut.starts.push(this.start);
    this.start += sizeBytes + newlineBytes;
    this.dropped = 0;
  }

  /** Units begin at even places: what looks like a newline across two of them is none. */
  private findNewline(data: Buffer, from: number): number {
    let at = data.indexOf(this.newline, from);
    while (at >= 0 && (at & 1) === 1) at = data.indexOf(this.newline, at + 1);
    return at;
  }
}
