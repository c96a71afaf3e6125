import {
  appendFileSync,
  chmodSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordBytesMax } from '#protocol/mod.ts';
import { FileTailer, type FileTailerOptions, OverlongLine } from './mod.ts';

let directory = '';
let log = '';
let readers: Reader[] = [];

/** Follows and collects; `until` waits for a line. */
class Reader {
  readonly lines: string[] = [];
  readonly done: Promise<void>;
  readonly tailer: FileTailer;
  private waiting: (() => void)[] = [];

  constructor(paths: string[], commit = true, options: Partial<FileTailerOptions> = {}) {
    this.tailer = new FileTailer({
      paths,
      stateFile: join(directory, 'state', 'offsets.json'),
      pollMs: 10,
      ...options,
    });
    this.done = this.run(commit);
    readers.push(this);
  }

  async until(line: string): Promise<void> {
    while (!this.lines.includes(line)) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.tailer.close();
    await this.done;
  }

  private async run(commit: boolean): Promise<void> {
    for await (const batch of this.tailer.batches()) {
      if (commit) await batch.source.commit(batch.to);
      for (const line of batch.lines) {
        this.lines.push(line instanceof OverlongLine ? `<${line.sizeBytes}>` : Buffer.from(line).toString());
      }
      for (const resolve of this.waiting.splice(0)) resolve();
    }
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'logweir-tail-'));
  log = join(directory, 'oven.log');
  readers = [];
});

afterEach(async () => {
  for (const reader of readers) await reader.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('FileTailer', () => {
  it('waits for a file that does not exist yet, and for the end of a line', async () => {
    const reader = new Reader([log]);
    await reader.tailer.ready;
    writeFileSync(log, 'one\ntw');
    await reader.until('one');
    appendFileSync(log, 'o\nthree\n');
    await reader.until('three');
    expect(reader.lines).toEqual(['one', 'two', 'three']);
  });

  it('follows a rotation by rename, unfinished last line included', async () => {
    writeFileSync(log, 'one\n');
    const reader = new Reader([log]);
    await reader.until('one');
    appendFileSync(log, 'two\nlast');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'three\n');
    await reader.until('three');
    await reader.until('last');
    expect([...reader.lines].sort()).toEqual(['last', 'one', 'three', 'two']);
  });

  it('follows a rotation by copy and truncate, even where the new content is as long at once', async () => {
    writeFileSync(log, 'one\ntwo\n');
    const reader = new Reader([log]);
    await reader.until('two');
    copyFileSync(log, `${log}.1`);
    truncateSync(log, 0);
    appendFileSync(log, 'three\nfour\nfive\n');
    await reader.until('five');
    expect(reader.lines).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('goes on after a restart where it was acknowledged, also in a file that was rotated meanwhile', async () => {
    writeFileSync(log, 'one\n');
    const first = new Reader([log]);
    await first.until('one');
    await first.stop();
    appendFileSync(log, 'two\n');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'three\n');
    const second = new Reader([log]);
    await second.until('two');
    await second.until('three');
    expect([...second.lines].sort()).toEqual(['three', 'two']);
  });

  it('delivers again what was not acknowledged', async () => {
    writeFileSync(log, 'one\n');
    const first = new Reader([log], false);
    await first.until('one');
    await first.stop();
    const second = new Reader([log]);
    await second.until('one');
    expect(second.lines).toEqual(['one']);
  });

  it('reads another file in the place of a known one from its start', async () => {
    writeFileSync(log, 'one\ntwo\n');
    const first = new Reader([log]);
    await first.until('two');
    await first.stop();
    unlinkSync(log);
    writeFileSync(log, 'six\nseven\neight\n');
    const second = new Reader([log]);
    await second.until('eight');
    expect(second.lines).toEqual(['six', 'seven', 'eight']);
  });

  it('follows patterns and directories, and leaves compressed files alone', async () => {
    writeFileSync(join(directory, 'a.log'), 'a\n');
    writeFileSync(join(directory, 'b.log.gz'), gzipSync('b\n'));
    const reader = new Reader([join(directory, '*.log*')]);
    await reader.until('a');
    writeFileSync(join(directory, 'c.log'), 'c\n');
    await reader.until('c');
    expect(reader.lines).toEqual(['a', 'c']);
  });

  it('begins at the end where asked to, for files that were there', async () => {
    writeFileSync(log, 'old\n');
    const reader = new Reader([log, join(directory, 'new.log')], true, { from: 'end' });
    await reader.tailer.ready;
    appendFileSync(log, 'fresh\n');
    writeFileSync(join(directory, 'new.log'), 'whole\n');
    await reader.until('fresh');
    await reader.until('whole');
    expect([...reader.lines].sort()).toEqual(['fresh', 'whole']);
  });

  it('refuses a damaged state instead of reading everything twice', async () => {
    writeFileSync(log, 'one\n');
    writeFileSync(join(directory, 'bad.json'), '{"version":1,');
    const tailer = new FileTailer({ paths: [log], stateFile: join(directory, 'bad.json') });
    await expect(tailer.batches().next()).rejects.toThrow('is damaged');
  });
});

describe('FileTailer, copies', () => {
  const many = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `line ${from + i} of a log\n`).join('');
  const numbers = (reader: Reader): number[] =>
    reader.lines.map((line) => Number(line.split(' ')[1])).sort((a, b) => a - b);
  const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

  it.each(['oven.log', 'oven*'])(
    'reads what was not read before a truncation in the copy, following %s',
    async (name) => {
      writeFileSync(log, many(0, 50));
      const reader = new Reader([join(directory, name)], true, { goneKeptMs: 50 });
      await reader.until('line 49 of a log');
      // All between two looks.
      appendFileSync(log, many(50, 60));
      copyFileSync(log, `${log}.1`);
      writeFileSync(log, many(60, 200));
      await reader.until('line 199 of a log');
      await reader.until('line 59 of a log');
      expect(numbers(reader)).toEqual(upTo(200));
      await reader.stop();
      const second = new Reader([join(directory, name)]);
      appendFileSync(log, many(200, 201));
      await second.until('line 200 of a log');
      expect(numbers(second)).toEqual([200]);
    },
  );

  it('does the same where it was truncated while nobody followed', async () => {
    writeFileSync(log, many(0, 50));
    const first = new Reader([`${log}*`]);
    await first.until('line 49 of a log');
    await first.stop();
    appendFileSync(log, many(50, 60));
    copyFileSync(log, `${log}-20260101`);
    writeFileSync(log, many(60, 90));
    const second = new Reader([`${log}*`]);
    await second.until('line 89 of a log');
    await second.until('line 59 of a log');
    expect(numbers(second)).toEqual(upTo(90).slice(50));
  });

  it.each(['oven.log', 'oven*'])('knows copies of a few bytes by when they were made, following %s', async (name) => {
    writeFileSync(log, 'line 0 of a log\n');
    const reader = new Reader([join(directory, name)], true, { goneKeptMs: 50 });
    await reader.until('line 0 of a log');
    appendFileSync(log, 'line 1 of a log\n');
    copyFileSync(log, `${log}.1`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    writeFileSync(log, 'line 2\n');
    await reader.until('line 2');
    appendFileSync(log, 'line 3\n');
    copyFileSync(log, `${log}.2`);
    truncateSync(log, 0);
    await reader.until('line 3');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(numbers(reader)).toEqual(upTo(4));
    await reader.stop();
    const second = new Reader([join(directory, name)]);
    appendFileSync(log, 'line 4\n');
    await second.until('line 4');
    expect(numbers(second)).toEqual([4]);
  });

  it('takes no file of a few bytes for a copy that was there before, or that nobody truncates', async () => {
    writeFileSync(`${log}.0`, 'ready\n');
    await new Promise((resolve) => setTimeout(resolve, 30));
    writeFileSync(log, 'ready\n');
    const reader = new Reader([`${log}*`]);
    await reader.until('ready');
    await new Promise((resolve) => setTimeout(resolve, 30));
    writeFileSync(`${log}.1`, 'ready\n');
    appendFileSync(log, 'last\n');
    await reader.until('last');
    // It waits for a moment whether it is a copy.
    await expect.poll(() => reader.lines.filter((line) => line === 'ready').length, { timeout: 8_000 }).toBe(3);
    expect(reader.lines).toHaveLength(4);
  });

  it('reads a copy of a file that goes on as little as the copy itself grows', async () => {
    writeFileSync(log, many(0, 50));
    const reader = new Reader([`${log}*`]);
    await reader.until('line 49 of a log');
    copyFileSync(log, `${log}.bak`);
    appendFileSync(log, many(50, 52));
    await reader.until('line 51 of a log');
    await new Promise((resolve) => setTimeout(resolve, 60));
    appendFileSync(`${log}.bak`, many(52, 53));
    await reader.until('line 52 of a log');
    expect(numbers(reader)).toEqual(upTo(53));
  });

  it('takes no file for a copy that only begins the same', async () => {
    const banner = `${'#'.repeat(300)}\n`;
    writeFileSync(log, `${banner}one\n`);
    writeFileSync(`${log}.err`, `${banner}two\nthree\n`);
    const reader = new Reader([`${log}*`]);
    await reader.until('three');
    await reader.until('one');
    expect(reader.lines.filter((line) => line.startsWith('#'))).toHaveLength(2);
  });
});

describe('FileTailer, odd files', () => {
  const text = (lines: string[], encoding: 'utf16le' | 'utf16be'): Buffer => {
    const bytes = Buffer.from(`\uFEFF${lines.join('\r\n')}\r\n`, 'utf16le');
    return encoding === 'utf16le' ? bytes : bytes.swap16();
  };

  it.each(['utf16le', 'utf16be'] as const)('reads %s as it grows, whatever bytes a piece ends at', async (encoding) => {
    // U+0A0D and U+0D0A look like newlines across units.
    const bytes = text(['eins', 'zwei \u0A0D\u0D0A 🥖', 'drei'], encoding);
    writeFileSync(log, bytes.subarray(0, 3));
    const reader = new Reader([log]);
    await reader.tailer.ready;
    for (let at = 3; at < bytes.length; at += 5) {
      appendFileSync(log, bytes.subarray(at, at + 5));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await reader.until('drei\r');
    expect(reader.lines).toEqual(['eins\r', 'zwei \u0A0D\u0D0A 🥖\r', 'drei\r']);
    await reader.stop();
    appendFileSync(log, text(['vier'], encoding).subarray(2));
    const second = new Reader([log]);
    await second.until('vier\r');
    expect(second.lines).toEqual(['vier\r']);
  });

  it('passes the hole that a writer leaves behind a truncation, and waits for room that is still empty', async () => {
    writeFileSync(log, 'one\ntwo\n');
    const reader = new Reader([log]);
    await reader.until('two');
    truncateSync(log, 0);
    const writer = openSync(log, 'r+');
    writeSync(writer, 'three\n', 600_000);
    await reader.until('three');
    // Room made before it is written to.
    ftruncateSync(writer, 2_000_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeSync(writer, 'four\n', 600_006);
    await reader.until('four');
    closeSync(writer);
    expect(reader.lines).toEqual(['one', 'two', 'three', 'four']);
    await reader.stop();
    const second = new Reader([log]);
    const again = openSync(log, 'r+');
    writeSync(again, 'five\n', 600_011);
    closeSync(again);
    await second.until('five');
    expect(second.lines).toEqual(['five']);
  });

  it('knows a file that was truncated and has grown longer with the same beginning', async () => {
    const banner = `${'#'.repeat(300)}\n`;
    writeFileSync(log, `${banner}one\ntwo\n`);
    const reader = new Reader([log]);
    await reader.until('two');
    writeFileSync(log, `${banner}three\nfour\nfive\nsix\n`);
    await reader.until('six');
    expect(reader.lines.slice(1)).toEqual(['one', 'two', banner.trim(), 'three', 'four', 'five', 'six']);
  });

  it('does the same after a restart', async () => {
    const banner = `${'#'.repeat(300)}\n`;
    writeFileSync(log, `${banner}one\ntwo\n`);
    const first = new Reader([log]);
    await first.until('two');
    await first.stop();
    writeFileSync(log, `${banner}three\nfour\nfive\nsix\n`);
    const second = new Reader([log]);
    await second.until('six');
    expect(second.lines).toEqual([banner.trim(), 'three', 'four', 'five', 'six']);
  });

  it('leaves out a line that is too long, and goes on behind it', async () => {
    const reader = new Reader([log]);
    await reader.tailer.ready;
    writeFileSync(log, `one\n${'x'.repeat(recordBytesMax)}`);
    await reader.until('one');
    appendFileSync(log, `${'x'.repeat(3 * recordBytesMax)}\ntwo\n`);
    await reader.until('two');
    expect(reader.lines).toEqual(['one', `<${4 * recordBytesMax}>`, 'two']);
  });

  it('lets half a line go when nobody has gone on with it for long', async () => {
    writeFileSync(log, 'one\nhalf');
    const reader = new Reader([log], true, { halfLineMs: 60 });
    await reader.until('half');
    appendFileSync(log, ' a line\ntwo\n');
    await reader.until('two');
    expect(reader.lines).toEqual(['one', 'half', ' a line', 'two']);
  });

  it('follows a link to wherever it leads, and directories in circles once', async () => {
    const logs = join(directory, 'logs');
    mkdirSync(join(logs, 'deep', 'deeper'), { recursive: true });
    symlinkSync(logs, join(logs, 'deep', 'circle'));
    symlinkSync('self', join(logs, 'self'));
    writeFileSync(join(logs, 'deep', 'deeper', 'a.txt'), 'a\n');
    writeFileSync(join(directory, 'day.1'), 'one\n');
    symlinkSync(join(directory, 'day.1'), join(directory, 'current'));
    const problems: string[] = [];
    const reader = new Reader([logs, join(directory, 'current')], true, { onProblem: (path) => problems.push(path) });
    await reader.until('one');
    await reader.until('a');
    appendFileSync(join(directory, 'day.1'), 'last of one\n');
    writeFileSync(join(directory, 'day.2'), 'two\n');
    symlinkSync(join(directory, 'day.2'), join(directory, 'next'));
    renameSync(join(directory, 'next'), join(directory, 'current'));
    await reader.until('two');
    await reader.until('last of one');
    expect([...reader.lines].sort()).toEqual(['a', 'last of one', 'one', 'two']);
    expect(problems).toEqual([join(logs, 'self')]);
  });

  it('reads neither a compressed copy of what it read, nor one that is still being compressed', async () => {
    writeFileSync(log, 'one\n');
    const reader = new Reader([`${log}*`]);
    await reader.until('one');
    writeFileSync(`${log}.1.gz`, '');
    await new Promise((resolve) => setTimeout(resolve, 60));
    writeFileSync(`${log}.1.gz`, gzipSync('one\n'.repeat(1_000)));
    appendFileSync(log, 'two\n');
    await reader.until('two');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(reader.lines).toEqual(['one', 'two']);
  });

  it.skipIf(process.getuid?.() === 0)('says what may not be read, and reads it once it may', async () => {
    writeFileSync(log, 'one\n');
    chmodSync(log, 0);
    const told: string[] = [];
    const reader = new Reader([log], true, {
      onProblem: (_path, error) => told.push(error.message),
      onMended: (path) => told.push(`mended ${path}`),
    });
    await expect.poll(() => told).toEqual([`${log} may not be read by this user.`]);
    chmodSync(log, 0o600);
    await reader.until('one');
    expect(told.slice(1)).toEqual([`mended ${log}`]);
  });

  it('tells of what is not there yet, once', async () => {
    const waiting: string[] = [];
    const pattern = join(directory, 'late', '*.log');
    const reader = new Reader([pattern, log], true, { onWaiting: (path) => waiting.push(path) });
    await reader.tailer.ready;
    expect(waiting).toEqual([pattern, log]);
    mkdirSync(join(directory, 'late'));
    writeFileSync(join(directory, 'late', 'a.log'), 'one\n');
    await reader.until('one');
  });

  it('holds few files open, and reads what is left of one that is renamed while it is not', async () => {
    const paths = Array.from({ length: 12 }, (_, i) => join(directory, `many-${i}.log`));
    for (const path of paths) writeFileSync(path, `${path}\n`);
    const reader = new Reader([join(directory, 'many-*.log')], true, { openFilesMax: 3 });
    for (const path of paths) await reader.until(path);
    expect(reader.tailer.counts).toEqual({ files: 12, open: 3 });
    for (const path of paths) {
      appendFileSync(path, `late ${path}\n`);
      renameSync(path, `${path}.1`);
    }
    for (const path of paths) await reader.until(`late ${path}`);
    expect(new Set(reader.lines).size).toBe(reader.lines.length);
  });

  it('gives the same names to the same lines after a restart, and others to other content', async () => {
    const names = async (): Promise<string[]> => {
      const tailer = new FileTailer({ paths: [log], stateFile: join(directory, 'names.json'), pollMs: 10 });
      for await (const { source, starts, lines } of tailer.batches())
        if (lines.length > 0) {
          tailer.close();
          return starts.map((start) => `${source.id}:${start}`);
        }
      return [];
    };
    writeFileSync(log, 'one\ntwo\n');
    const first = await names();
    expect(await names()).toEqual(first);
    writeFileSync(log, 'six\nten\n');
    const other = await names();
    expect(other.filter((name) => first.includes(name))).toEqual([]);
  });
});
