/**
 * Which partition a service belongs to: FNV-1a 32 of its raw UTF-8 bytes, mod P. The same function as
 * nats-server's `partition()` subject mapping, so that both sides agree.
 */
const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;
const encoder = new TextEncoder();

/** FNV-1a, 32 bit, over bytes [start, end). Returns an unsigned 32-bit number. */
export function fnv1a32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = offsetBasis;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), prime);
  return hash >>> 0;
}

export function partitionOf(service: string, partitions: number): number {
  return fnv1a32(encoder.encode(service)) % partitions;
}
