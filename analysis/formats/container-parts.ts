/** Lines that a container runtime split, joined per stream again: in bytes, since it splits within characters too. */
import { recordBytesMax } from '#protocol/mod.ts';
import type { Wrapper } from './container.ts';

export interface JoinedLine {
  /** Of its first part. */
  wrapper: Wrapper;
  text: string;
  /** Where its first part stands. */
  at: number;
  parts: number;
}

interface Open {
  wrapper: Wrapper;
  at: number;
  pieces: Uint8Array[];
  bytes: number;
}

/** At most one open line a stream, each within the limit of a record. */
export class ContainerParts {
  private readonly open = new Map<string, Open>();

  /** Open lines. */
  get count(): number {
    return this.open.size;
  }

  has(stream: string): boolean {
    return this.open.has(stream);
  }

  /** Adds a part, which is copied: readers use their buffers again. Returns what was open where both together were too long: the part then begins a line. */
  add(wrapper: Wrapper, piece: Uint8Array, at: number): JoinedLine | null {
    const { stream } = wrapper;
    const open = this.open.get(stream);
    if (open !== undefined && open.bytes + piece.length <= recordBytesMax) {
      open.pieces.push(Buffer.from(piece));
      open.bytes += piece.length;
      return null;
    }
    const full = this.take(stream);
    this.open.set(stream, { wrapper, at, pieces: [Buffer.from(piece)], bytes: piece.length });
    return full;
  }

  /** The open line of a stream, which ends here; null where none is open. */
  take(stream: string): JoinedLine | null {
    const open = this.open.get(stream);
    if (open === undefined) return null;
    this.open.delete(stream);
    const { wrapper, at, pieces } = open;
    return { wrapper, text: Buffer.concat(pieces).toString('utf8'), at, parts: pieces.length };
  }

  /** Streams with an open line, the one that began first before the others. */
  streams(): string[] {
    return [...this.open].sort((a, b) => a[1].at - b[1].at).map(([stream]) => stream);
  }
}
