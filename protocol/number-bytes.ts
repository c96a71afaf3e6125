/**
 * Lists of numbers as bytes, little-endian as every machine that Node.js runs on: in state that is packed every few
 * seconds, copying them costs a tenth of packing each.
 */
export function doubleBytes(numbers: Float64Array | readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(numbers).buffer);
}

export function int32Bytes(numbers: Int32Array | Uint32Array): Uint8Array {
  return new Uint8Array(numbers.slice().buffer);
}

/** Copied, since bytes out of a message lie at any address. */
export function doublesFrom(bytes: Uint8Array): Float64Array {
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

export function int32From(bytes: Uint8Array): Int32Array {
  return new Int32Array(Uint8Array.from(bytes).buffer);
}
