/**
 * Lists of numbers as bytes, little-endian as every machine that Node.js runs on: in state that is packed every few
 * seconds, copying them costs a tenth of packing each.
 */
export function doubleBytes(numbers: Float64Array | readonly number[]): Uint8Array {
  const bytes = room(numbers.length * 8);
  new Float64Array(bytes.buffer, bytes.byteOffset, numbers.length).set(numbers);
  return bytes;
}

export function int32Bytes(numbers: Int32Array | Uint32Array): Uint8Array {
  const bytes = room(numbers.length * 4);
  new Int32Array(bytes.buffer, bytes.byteOffset, numbers.length).set(numbers);
  return bytes;
}

/** From Node.js's pool, whose pieces begin at multiples of 8: a buffer of its own for each costs several times the copy. */
function room(bytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(bytes);
  return new Uint8Array(buffer, byteOffset, bytes);
}

/** Copied, since bytes out of a message lie at any address. */
export function doublesFrom(bytes: Uint8Array): Float64Array {
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

export function int32From(bytes: Uint8Array): Int32Array {
  return new Int32Array(Uint8Array.from(bytes).buffer);
}
