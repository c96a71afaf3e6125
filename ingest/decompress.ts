/** Request bodies by Content-Encoding, with a bound on what they may become. */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { LogweirError } from '#protocol/mod.ts';
import { unsnapAny } from './snappy.ts';
import { tooLarge } from './too-large.ts';
import { unzstdAsync } from './zstd-frames.ts';

const decoders: Record<string, (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  zlib: promisify(inflate),
  snappy: async (data, { maxOutputLength }) => unsnapAny(data, maxOutputLength),
  'x-snappy-framed': async (data, { maxOutputLength }) => unsnapAny(data, maxOutputLength),
  zstd: (data, { maxOutputLength }) => unzstdAsync(data, maxOutputLength),
};

/** @throws LogweirError ENCODING_UNSUPPORTED | BODY_TOO_LARGE | RECORD_REJECTED */
export async function decompress(body: Buffer, encoding: string | undefined, bytesMax: number): Promise<Buffer> {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  const decode = decoders[name];
  if (decode === undefined)
    throw new LogweirError(
      'ENCODING_UNSUPPORTED',
      `Content-Encoding ${name} is not supported.`,
      'Send gzip, deflate, zstd or snappy, or no encoding.',
    );
  try {
    return await decode(body, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (cause instanceof LogweirError) throw cause;
    if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax, cause);
    throw new LogweirError(
      'RECORD_REJECTED',
      `The body is not valid ${name}: ${(cause as Error).message}.`,
      'Nothing of it was taken; send it again, whole.',
      { cause },
    );
  }
}
