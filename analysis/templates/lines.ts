/** Lines within a body. */
import { classOf, space } from './bytes.ts';

const traceBytesMax = 65_536;

/**
 * Start of the last line in [from, end) that is neither blank nor indented nor only closes a bracket, looked for in the
 * last 64 KiB; -2: there are others only, -1: all are blank.
 */
export function lastFlushLine(bytes: Uint8Array, from: number, end: number): number {
  const floor = Math.max(from, end - traceBytesMax);
  let found = -1;
  for (let i = end - 1; i >= floor; i--) {
    const b = bytes[i]!;
    if (classOf[b] === space) continue;
    if (i > from && bytes[i - 1] !== 0x0a) {
      found = -2;
      continue;
    }
    if (b !== 0x7d && b !== 0x5d && b !== 0x29) return i;
    found = -2;
  }
  return found;
}

/** Position of byte b in [from, stop), or stop. */
export function find(bytes: Uint8Array, b: number, from: number, stop: number): number {
  let i = from;
  while (i < stop && bytes[i] !== b) i++;
  return i;
}
