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
  let decoder = new Decoder(kind);
  let step = stepBytes;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        const given = Math.min(step, chunk.length - at);
        const { output, taken } = await decoder.write(chunk.subarray(at, at + given));
        at += taken;
        const swollen = output.reduce((sum, { length }) => sum + length, 0) > swollenBytes;
        yield* output;
        if (decoder.failure !== undefined) throw decoder.failure;
        // Node's zstd ends with a frame; what follows is another.
        if (taken < given && kind === 'zstd') {
          decoder.close();
          decoder = new Decoder(kind);
        } else at += given - taken;
        if (swollen) step = smallStepBytes;
      }
    }
    yield* await decoder.end();
    if (decoder.failure !== undefined) throw decoder.failure;
  } finally {
    decoder.close();
  }
}

/** A decoder of Node's, asked step by step. */
class Decoder {
  failure: Error | undefined;
  private readonly stream;
  private ready: Buffer[] = [];
  private settle: () => void = () => undefined;

  constructor(kind: 'gzip' | 'zstd') {
    this.stream =
      kind === 'gzip' ? createGunzip({ chunkSize: outputBytes }) : createZstdDecompress({ chunkSize: outputBytes });
    this.stream.on('data', (data: Buffer) => this.ready.push(data));
    // A write that fails, or ends the data, is never called back.
    this.stream.on('end', () => this.settle());
    this.stream.on('error', (error: Error) => {
      this.failure ??= error;
      this.settle();
    });
  }

  /** What came out of the bytes, and how many of them were taken: fewer where the data ends among them. */
  async write(bytes: Uint8Array): Promise<{ output: Buffer[]; taken: number }> {
    const before = this.stream.bytesWritten;
    await new Promise<void>((resolve) => {
      this.settle = resolve;
      this.stream.write(bytes, () => resolve());
    });
    return {
      output: this.take(),
      taken: this.failure === undefined ? this.stream.bytesWritten - before : bytes.length,
    };
  }

  async end(): Promise<Buffer[]> {
    await new Promise<void>((resolve) => {
      this.settle = resolve;
      this.stream.once('close', resolve);
      this.stream.end();
    });
    return this.take();
  }

  close(): void {
    this.stream.destroy();
  }

  private take(): Buffer[] {
    const taken = this.ready;
    this.ready = [];
    return taken;
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
