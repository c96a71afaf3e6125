/** Files of every kind that is read, as bytes, and a place to put damaged ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { InputFile } from '../files/mod.ts';
import { httpTargets, lines } from './targets.ts';

const text = Buffer.from(lines.join('\n'));
const journal = httpTargets.find(({ receiver }) => receiver === 'journald')?.body ?? text;

/** One member, in the form of POSIX. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar', 257);
  header.write('00', 263);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding]);
}

const tar = Buffer.concat([
  tarOf('a.log', text),
  tarOf('b.log.gz', gzipSync(text)),
  tarOf('c.export', journal),
  Buffer.alloc(1_024),
]);

export const inputs: readonly Buffer[] = [
  text,
  journal,
  Buffer.from(`\ufeff${text.toString()}`, 'utf16le'),
  gzipSync(text),
  Buffer.concat([gzipSync(text), gzipSync(journal)]),
  zstdCompressSync(text),
  Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]),
  tar,
  gzipSync(tar),
  gzipSync(gzipSync(zstdCompressSync(tar))),
  gzipSync(Buffer.alloc(8 << 20)),
];

let directory: string | undefined;

export function writeInput(bytes: Buffer): InputFile {
  directory ??= mkdtempSync(join(tmpdir(), 'logweir-fuzz-'));
  const path = join(directory, 'input');
  writeFileSync(path, bytes);
  return { path, name: 'input', sizeBytes: bytes.length, modifiedMs: 0, compression: 'none' };
}

export function removeInputs(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
}
