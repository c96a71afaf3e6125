/** Text of short values in request bodies: names, levels, services. Most repeat, and decoding costs more than comparing. */

/** Entries of at most 256 bytes; forgotten all at once when full. A pure memo of the process: it changes no answer. */
const remembered = 5_000;
const rememberedBytesMax = 256;
const texts = new Map<number, { bytes: Uint8Array; text: string }>();

export function same(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}

export function textOf(bytes: Buffer, start: number, end: number): string {
  if (end - start > rememberedBytesMax) return bytes.toString('utf8', start, end);
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  const known = texts.get(hash);
  if (known !== undefined && same(bytes, start, end, known.bytes)) return known.text;
  const entry = { bytes: bytes.subarray(start, end).slice(), text: bytes.toString('utf8', start, end) };
  if (texts.size >= remembered) texts.clear();
  texts.set(hash, entry);
  return entry.text;
}
