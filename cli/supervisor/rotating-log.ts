/** A log file that never grows past a bound: when full it becomes `<name>.1` and a new one begins. */
import { appendFileSync, closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/** Two files of this size per unit at most. */
const bytesMaxDefault = 8 * 1024 * 1024;

export class RotatingLog {
  readonly path: string;
  private readonly bytesMax: number;
  private bytes: number;

  constructor(path: string, bytesMax = bytesMaxDefault) {
    this.path = path;
    this.bytesMax = bytesMax;
    this.bytes = sizeOf(path);
  }

  /** Never throws: a full disk must not end the cluster over its own log. */
  write(chunk: Uint8Array | string): void {
    try {
      if (this.bytes > 0 && this.bytes + chunk.length > this.bytesMax) {
        renameSync(this.path, `${this.path}.1`);
        this.bytes = 0;
      }
      appendFileSync(this.path, chunk);
      this.bytes += chunk.length;
    } catch {
      this.bytes = sizeOf(this.path);
    }
  }

  /** The last lines that were written, for messages about a unit that failed. */
  tail(lines: number): string[] {
    try {
      const file = openSync(this.path, 'r');
      try {
        const size = fstatSync(file).size;
        const buffer = Buffer.alloc(Math.min(size, 4096));
        readSync(file, buffer, 0, buffer.length, size - buffer.length);
        return buffer.toString('utf8').trimEnd().split('\n').slice(-lines);
      } finally {
        closeSync(file);
      }
    } catch {
      return [];
    }
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
