import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { type InputFile, type Line, LineSplitter, OverlongLine, readLines, readSources, resolveInputs } from './mod.ts';

const directory = mkdtempSync(join(tmpdir(), 'logweir-files-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let made = 0;

function file(content: Uint8Array | string, name = `f${++made}.log`): InputFile {
  const path = join(directory, name);
  writeFileSync(path, content);
  return { path, name, sizeBytes: content.length, modifiedMs: 0, compression: 'none' };
}

function shown(line: Line): string {
  return line instanceof OverlongLine ? `<${line.sizeBytes} bytes>` : Buffer.from(line).toString('utf8');
}

async function linesOf(input: InputFile): Promise<{ lines: string[]; error: unknown }> {
  const lines: string[] = [];
  try {
    for await (const batch of readLines(input)) for (const line of batch) lines.push(shown(line));
  } catch (error) {
    return { lines, error };
  }
  return { lines, error: undefined };
}

/** A ustar archive of regular files, directories (names that end in a slash) and long names in GNU's way. */
function tar(members: [string, Uint8Array][]): Buffer {
  const blocks: Buffer[] = [];
  const add = (name: string, content: Uint8Array, type: string): void => {
    const header = Buffer.alloc(512);
    header.write(name.slice(0, 100), 0);
    header.write('0000644\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512));
  };
  for (const [name, content] of members) {
    if (name.length > 100) add('././@LongLink', Buffer.from(`${name}\0`), 'L');
    add(name, content, name.endsWith('/') ? '5' : '0');
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const manyLines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${Math.imul(i, 2654435761) >>> 0}`);
const many = Buffer.from(`${manyLines.join('\n')}\n`);

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const text = Buffer.from('one\n\ntwo\r\nthree');
    for (let size = 1; size <= text.length; size++) {
      const splitter = new LineSplitter();
      const lines: Line[] = [];
      for (let at = 0; at < text.length; at += size) lines.push(...splitter.push(text.subarray(at, at + size)));
      lines.push(...splitter.flush());
      expect(lines.map(shown)).toEqual(['one', '', 'two\r', 'three']);
    }
  });

  it('keeps a line of the largest size and lets go of a longer one', () => {
    const splitter = new LineSplitter();
    const lines: Line[] = [];
    const chunk = Buffer.alloc(recordBytesMax / 2, 'a');
    for (const piece of [chunk, chunk, Buffer.from('\n'), chunk, chunk, Buffer.from('a\nb\n')])
      lines.push(...splitter.push(piece));
    expect(lines.map((line) => (line instanceof OverlongLine ? -line.sizeBytes : line.length))).toEqual([
      recordBytesMax,
      -(recordBytesMax + 1),
      1,
    ]);
  });
});

describe('readLines', () => {
  it('reads plain, gzip and zstd whatever they are called', async () => {
    for (const content of [
      many,
      gzipSync(many),
      zstdCompressSync(many),
      Buffer.concat([gzipSync(many.subarray(0, 9)), gzipSync(many.subarray(9))]),
    ]) {
      const { lines, error } = await linesOf(file(content));
      expect(error).toBeUndefined();
      expect(lines).toEqual(manyLines);
    }
  });

  it('keeps the last line without newline and carries invalid bytes through', async () => {
    expect((await linesOf(file('a\nb'))).lines).toEqual(['a', 'b']);
    const batches: Line[] = [];
    for await (const batch of readLines(file(Uint8Array.of(0xff, 0x00, 0x41, 10)))) batches.push(...batch);
    expect(batches).toEqual([Buffer.from([0xff, 0x00, 0x41])]);
  });

  it.each(['gzip', 'zstd'])('gives what could be read of a %s file that is cut off, then says so', async (kind) => {
    const whole = kind === 'gzip' ? gzipSync(many) : zstdCompressSync(many);
    const { lines, error } = await linesOf(file(whole.subarray(0, whole.length - 5)));
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.slice(0, -1)).toEqual(manyLines.slice(0, lines.length - 1));
    expect(error).toBeInstanceOf(LogweirError);
    expect((error as LogweirError).message).toContain('cut off');
  });

  it('says so where compressed data is damaged', async () => {
    const broken = gzipSync(many);
    const middle = broken.length >> 1;
    broken.fill(0xff, middle, middle + 64);
    const { lines, error } = await linesOf(file(broken));
    expect(lines.length).toBeGreaterThan(0);
    expect((error as LogweirError).code).toBe('INPUT_UNREADABLE');
  });

  it('passes by a line of ten megabytes and keeps its neighbours', async () => {
    const { lines } = await linesOf(
      file(Buffer.concat([Buffer.from('a\n'), Buffer.alloc(10 * 1024 * 1024, 'x'), Buffer.from('\nb\n')])),
    );
    expect(lines).toEqual(['a', '<10485760 bytes>', 'b']);
  });

  it('reads UTF-16 with a byte order mark', async () => {
    const text = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('größe 1\r\nzwei\n', 'utf16le')]);
    expect((await linesOf(file(text))).lines).toEqual(['größe 1\r', 'zwei']);
  });

  it('reads each member of an archive as a source of its own', async () => {
    const long = `${'deep/'.repeat(30)}till.log`;
    const archive = tar([
      ['logs/', Buffer.alloc(0)],
      ['logs/oven.log', Buffer.from('a\nb\n')],
      ['logs/.hidden', Buffer.from('no\n')],
      ['logs/mill.log.1.gz', gzipSync('c\n')],
      ['logs/picture', Uint8Array.from({ length: 600 }, (_, i) => i % 32)],
      [long, Buffer.from('d')],
    ]);
    for (const packed of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
      const found: Record<string, string[]> = {};
      const skipped: string[] = [];
      for await (const batch of readSources(file(packed), { onSkip: (name) => skipped.push(name) })) {
        (found[batch.source] ??= []).push(...batch.lines.map(shown));
      }
      expect(found).toEqual({ 'oven.log': ['a', 'b'], 'mill.log.1': ['c'], 'till.log': ['d'] });
      expect(skipped).toEqual(['logs/.hidden', 'picture']);
    }
  });

  it('reads every frame of a zstd file, as concatenated files and parallel compressors have', async () => {
    const packed = Buffer.concat(['a\nb\n', '', 'c\n'].map((text) => zstdCompressSync(Buffer.from(text))));
    const found: string[] = [];
    for await (const lines of readLines(file(packed)))
      found.push(...lines.map((line) => Buffer.from(line as Uint8Array).toString()));
    expect(found).toEqual(['a', 'b', 'c']);
  });

  it('stops at a signal and counts the bytes of the file as it lies on disk', async () => {
    const packed = gzipSync(many);
    let bytes = 0;
    for await (const _ of readLines(file(packed), { onBytes: (n) => (bytes += n) }));
    expect(bytes).toBe(packed.length);
    const controller = new AbortController();
    controller.abort();
    await expect(readLines(file('a\n'), { signal: controller.signal }).next()).rejects.toThrow('aborted');
  });
});

describe('resolveInputs', () => {
  it('takes files, patterns, directories and standard input, each file once, and names what it cannot read', async () => {
    const root = join(directory, 'tree');
    mkdirSync(join(root, 'sub', '.git'), { recursive: true });
    writeFileSync(join(root, 'b.log'), 'b\n');
    writeFileSync(join(root, 'a.log.gz'), gzipSync('a\n'));
    writeFileSync(join(root, 'sub', 'c.txt'), zstdCompressSync(Buffer.from('c\n')));
    writeFileSync(join(root, 'sub', '.git', 'x'), 'x\n');
    writeFileSync(join(root, 'sub', 'd.zip'), Buffer.from([0x50, 0x4b, 3, 4, 0, 0]));
    writeFileSync(join(root, 'sub', 'empty.log'), '');
    const { files, problems } = await resolveInputs([
      join(root, '*.log'),
      root,
      '-',
      join(root, 'none'),
      join(root, 'x*'),
    ]);
    expect(files.map((found) => [found.name, found.compression])).toEqual([
      ['b.log', 'none'],
      ['a.log.gz', 'gzip'],
      ['c.txt', 'zstd'],
      ['stdin', 'none'],
    ]);
    expect(problems.map((problem) => problem.code)).toEqual([
      'INPUT_UNREADABLE',
      'INPUT_EMPTY',
      'INPUT_UNREADABLE',
      'INPUT_UNREADABLE',
    ]);
    expect(problems[0]?.message).toContain('is a zip file and was passed over');
    expect(problems[2]?.message).toContain('does not exist');
    for (const problem of problems) expect(problem.remedy).not.toBe('');
  });

  it('names a directory that may not be read, and keeps the others', async () => {
    const locked = join(directory, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0);
    const open = file('a\n');
    const { files, problems } = await resolveInputs([locked, open.path]);
    expect(files.map((found) => found.path)).toEqual([open.path]);
    // The administrator may read everything: there the directory is empty instead.
    expect(problems).toHaveLength(1);
    expect(['INPUT_UNREADABLE', 'INPUT_EMPTY']).toContain(problems[0]?.code);
    chmodSync(locked, 0o700);
  });
});
