import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
