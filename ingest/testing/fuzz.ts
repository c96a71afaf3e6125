/** Seeded damage to request bodies: the same seed gives the same bodies. */

export type Random = () => number;

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A body with a few bytes changed, cut out, doubled, or put in; or cut short. */
export function damaged(body: Buffer, random: Random): Buffer {
  let out = Buffer.from(body);
  const times = 1 + Math.floor(random() * 4);
  for (let i = 0; i < times; i++) {
    const at = Math.floor(random() * (out.length + 1));
    const size = Math.floor(random() * 16);
    const junk = Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
    switch (Math.floor(random() * 6)) {
      case 0:
        if (out.length > 0) out[at % out.length] = Math.floor(random() * 256);
        break;
      case 1:
        if (out.length > 0) out[at % out.length] = (out[at % out.length] as number) ^ (1 << Math.floor(random() * 8));
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), junk, out.subarray(at)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + size)]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, at), out.subarray(Math.max(0, at - 40))]);
        break;
      default:
        out = out.subarray(0, at);
    }
  }
  return out;
}
