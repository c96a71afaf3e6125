/** Text of short values in request bodies: names, levels, services. Most repeat, and decoding costs more than comparing. */

/** Places for texts of at most so many bytes; of two that have one place the later stays. A pure memo of the process: it changes no answer. */
const places = 4_096;
const rememberedBytesMax = 256;
const texts: ({ bytes: Uint8Array; text: string } | undefined)[] = new Array(places).fill(undefined);

export function same(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}

/** A copy that keeps nothing else alive: a slice of a `Buffer` is a view, and would keep the whole request body. */
export function ownBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return Uint8Array.from(bytes.subarray(start, end));
}

export function textOf(bytes: Buffer, start: number, end: number): string {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  return hashedText(bytes, start, end, hash);
}

/** The same for who has the bytes' hash, as `textOf` makes it, already. */
export function hashedText(bytes: Buffer, start: number, end: number, hash: number): string {
  if (end - start > rememberedBytesMax) return bytes.toString('utf8', start, end);
  const place = (hash ^ (hash >>> 12)) & (places - 1);
  const known = texts[place];
  if (known !== undefined && same(bytes, start, end, known.bytes)) return known.text;
  const text = bytes.toString('utf8', start, end);
  texts[place] = { bytes: ownBytes(bytes, start, end), text };
  return text;
}
