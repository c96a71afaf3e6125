/** Factors that bring durations to ms and sizes to bytes, so that features compare like with like. */
const factors: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  msec: 1,
  msecs: 1,
  millis: 1,
  millisecond: 1,
  milliseconds: 1,
  microseconds: 1e-3,
  nanoseconds: 1e-6,
  s: 1000,
  sec: 1000,
  secs: 1000,
  second: 1000,
  seconds: 1000,
  min: 60_000,
  mins: 60_000,
  minutes: 60_000,
  hours: 3_600_000,
  b: 1,
  bytes: 1,
  kb: 1024,
  kib: 1024,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
  tb: 1024 ** 4,
  tib: 1024 ** 4,
};

interface Unit {
  name: Uint8Array;
  factor: number;
}

const lengthMax = 12;
/** By length and first byte, so that a look-up compares one or two names and allocates nothing. */
const units: (Unit[] | undefined)[] = new Array((lengthMax + 1) * 256);
for (const [name, factor] of Object.entries(factors)) {
  const bytes = new TextEncoder().encode(name);
  const at = bytes.length * 256 + bytes[0]!;
  (units[at] ??= []).push({ name: bytes, factor });
}

/** 1: a unit of time, 2: of size, 0: none. Two spellings of one dimension are no difference in the message. */
export function unitDimension(bytes: Uint8Array, from: number, to: number): number {
  if (unitFactor(bytes, from, to) === 0) return 0;
  const last = bytes[to - 1]! | 0x20;
  const first = bytes[from]! | 0x20;
  return last === 0x62 || first === 0x62 ? 2 : 1; // …b or bytes
}

/** Factor of the unit spelled by bytes [from, to), in any case; 0 when it is none. */
export function unitFactor(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length < 1 || length > lengthMax) return 0;
  const first = bytes[from]!;
  const candidates = units[length * 256 + (first < 0x80 ? first | 0x20 : first)];
  if (candidates === undefined) return 0;
  for (const { name, factor } of candidates) {
    let k = 1;
    while (k < length && (bytes[from + k]! < 0x80 ? bytes[from + k]! | 0x20 : bytes[from + k]!) === name[k]) k++;
    if (k === length) return factor;
  }
  return 0;
}

/**
 * Whether the word that ends at `to` is the key of what follows, as in `status=200 bytes=17`, and no unit of what came
 * before, as in `took 3 s: done`.
 */
export function isKeyEnd(bytes: Uint8Array, to: number, end: number): boolean {
  const at = to < end && bytes[to] === 0x20 ? to + 1 : to;
  if (at >= end) return false;
  if (bytes[at] === 0x3d) return true;
  if (bytes[at] !== 0x3a || at + 1 >= end) return false;
  const next = bytes[at + 1]!;
  if (next !== 0x20) return true;
  const value = at + 2 < end ? bytes[at + 2]! : 0;
  return value >= 0x30 && value <= 0x39;
}
