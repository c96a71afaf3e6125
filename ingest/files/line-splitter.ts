/** Cuts chunks of bytes into lines with memory bounded by the longest line that is kept. */
import { recordBytesMax } from '#protocol/mod.ts';

/** Stands in for a line over `recordBytesMax`: its bytes were counted and let go. */
export class OverlongLine {
  readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }
}

/** Bytes of a line without its newline (a CR before it is left on), or the marker of one that was too long. */
export type Line = Uint8Array | OverlongLine;

const newline = 10;

export class LineSplitter {
  /** Pieces of the line that the next chunk goes on with. */
  private pieces: Uint8Array[] = [];
  private pendingBytes = 0;

  /** Bytes of the unfinished line. */
  get pending(): number {
    return this.pendingBytes;
  }

  /** Lines that end in this chunk. They are views of it: it must not be overwritten. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end < 0) break;
      if (this.pendingBytes === 0 && end - start <= recordBytesMax) lines.push(chunk.subarray(start, end));
      else {
        this.keep(chunk.subarray(start, end));
        lines.push(this.finish());
      }
      start = end + 1;
    }
    if (start < chunk.length) this.keep(chunk.subarray(start));
    return lines;
  }

  /** The last line, where no newline ended it. */
  flush(): Line[] {
    return this.pendingBytes === 0 ? [] : [this.finish()];
  }

  private keep(piece: Uint8Array): void {
    this.pendingBytes += piece.length;
    if (this.pendingBytes > recordBytesMax) this.pieces = [];
    // Copied, so that a few bytes do not hold the whole chunk in memory.
    else this.pieces.push(Uint8Array.from(piece));
  }

  private finish(): Line {
    const { pendingBytes, pieces } = this;
    this.pieces = [];
    this.pendingBytes = 0;
    if (pendingBytes > recordBytesMax) return new OverlongLine(pendingBytes);
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
  }
}
