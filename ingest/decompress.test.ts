import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompress } from './decompress.ts';

const frame = (data: Buffer, checksum = false): Buffer =>
  zstdCompressSync(data, checksum ? { params: { [constants.ZSTD_c_checksumFlag]: 1 } } : {});

describe('decompress', () => {
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
