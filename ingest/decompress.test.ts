import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompress } from './decompress.ts';

const frame = (data: Buffer, checksum = false): Buffer =>
  zstdCompressSync(data, checksum ? { params: { [constants.ZSTD_c_checksumFlag]: 1 } } : {});

// Google's own library, which winston-loki compresses with.
const snappy = createRequire(import.meta.resolve('winston-loki'))('snappy') as {
  compressSync(data: Uint8Array): Buffer;
};

/** As OpenTelemetry's collector sends it with `compression: x-snappy-framed`: Go's snappy.Writer; sums are not looked at. */
const framed = (...chunks: [kind: number, data: Buffer][]): Buffer =>
  Buffer.concat([
    Buffer.from('\xff\x06\0\0sNaPpY', 'latin1'),
    ...chunks.flatMap(([kind, data]) => {
      const head = Buffer.alloc(kind < 0x80 ? 8 : 4);
      head[0] = kind;
      head.writeUIntLE(data.length + head.length - 4, 1, 3);
      return [head, data];
    }),
  ]);

describe('decompress', () => {
  it('reads snappy, as a block and in frames', async () => {
    const text = Buffer.from('a line, '.repeat(5_000));
    expect(await decompress(snappy.compressSync(text), 'snappy', 40_000)).toEqual(text);
    const frames = framed([0, snappy.compressSync(text)], [0xfe, Buffer.alloc(9)], [1, Buffer.from('plain')]);
    for (const encoding of ['snappy', 'x-snappy-framed'])
      expect(await decompress(frames, encoding, 40_005)).toEqual(Buffer.concat([text, Buffer.from('plain')]));
    for (const bytesMax of [39_999, 40_004])
      await expect(decompress(frames, 'snappy', bytesMax)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    for (const broken of [frames.subarray(0, 40), frames.subarray(0, -2), framed([2, Buffer.from('other')])])
      await expect(decompress(broken, 'snappy', 90_000)).rejects.toMatchObject({ code: 'RECORD_REJECTED' });
  });

  it('reads every frame of zstd, skippable ones between them included', async () => {
    const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('any')]);
    const large = randomBytes(700_000);
    const run = Buffer.alloc(400_000, 0x61);
    const parts = [Buffer.from('one'), large, Buffer.alloc(0), run, Buffer.from('last')];
    const packed = Buffer.concat(parts.flatMap((part, i) => [frame(part, i % 2 === 0), skippable]));
    expect(await decompress(packed, 'zstd', 4_000_000)).toEqual(Buffer.concat(parts));
  });

  it('refuses what is too large in all, and what is broken behind the first frame', async () => {
    const two = Buffer.concat([frame(Buffer.alloc(600)), frame(Buffer.alloc(600))]);
    await expect(decompress(two, 'zstd', 1_000)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    expect(await decompress(two, 'zstd', 1_200)).toHaveLength(1_200);
    for (const tail of [Buffer.from('x'), frame(Buffer.from('cut')).subarray(0, 8), Buffer.alloc(20, 0xff)])
      await expect(decompress(Buffer.concat([two, tail]), 'zstd', 9_000)).rejects.toMatchObject({
        code: 'RECORD_REJECTED',
      });
    await expect(decompress(gzipSync(Buffer.alloc(2_000)), 'gzip', 1_000)).rejects.toMatchObject({
      code: 'BODY_TOO_LARGE',
    });
  });
});
