/** Streams of bytes through gzip and zstd such that everything before a broken place is delivered, then the error. */
import { createGunzip, createZstdDecompress } from 'node:zlib';

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Compressed bytes given to the decoder at once; fewer after a step that swelled beyond `swollenBytes`. */
const stepBytes = 16 * 1024;
const smallStepBytes = 512;
/** Decoded bytes in one piece at most: the lines of a batch come from it. */
const outputBytes = 128 * 1024;
const swollenBytes = 8 * 1024 * 1024;

/**
 * Decompresses step by step: the next piece goes in only when all that came out of the last one was taken. A Node
 * pipeline would drop what it has buffered when the input turns out to be cut off.
 */
export async function* decompress(kind: 'gzip' | 'zstd', chunks: Chunks): AsyncGenerator<Uint8Array> {
  const decoder =
    kind === 'gzip' ? createGunzip({ chunkSize: outputBytes }) : createZstdDecompress({ chunkSize: outputBytes });
  let ready: Buffer[] = [];
  let readyBytes = 0;
  let failure: Error | undefined;
  decoder.on('data', (data: Buffer) => {
    ready.push(data);
    readyBytes += data.length;
  });
  let settle: () => void = () => undefined;
  decoder.on('error', (error: Error) => {
    failure ??= error;
    // The write that failed is never called back.
    settle();
  });
  const take = (): Buffer[] => {
    const taken = ready;
    ready = [];
    readyBytes = 0;
    return taken;
  };
  let step = stepBytes;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += step) {
        const piece = chunk.subarray(at, at + step);
        await new Promise<void>((resolve) => {
          settle = resolve;
          decoder.write(piece, () => resolve());
        });
        const swollen = readyBytes > swollenBytes;
        yield* take();
        if (failure !== undefined) throw failure;
        if (swollen) {
          at += step - smallStepBytes;
          step = smallStepBytes;
        }
      }
    }
    await new Promise<void>((resolve) => {
      settle = resolve;
      decoder.once('close', resolve);
      decoder.end();
    });
    yield* take();
    if (failure !== undefined) throw failure;
  } finally {
    decoder.destroy();
  }
}

/** UTF-16 with a byte order mark, as UTF-8. */
export async function* utf16ToUtf8(kind: 'utf16le' | 'utf16be', chunks: Chunks): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(kind === 'utf16le' ? 'utf-16le' : 'utf-16be');
  const encoder = new TextEncoder();
  for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
  const rest = decoder.decode();
  if (rest !== '') yield encoder.encode(rest);
}
