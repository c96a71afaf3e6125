/**
 * Random histories of log files against a model of what must be read: rotations by rename and by copy-and-truncate,
 * holes, half lines, deletions, late files, restarts that forget what was not committed. Each line comes at least once, and what
 * comes again has the same name and place. Seeds are fixed; a failure names its own.
 */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FileTailer, OverlongLine } from './mod.ts';

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const stepsMax = 120;

class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'logweir-model-'));
  readonly expected: string[] = [];
  /** What came, by name and place. */
  readonly came = new Map<string, string>();
  readonly conflicts: string[] = [];
  readonly history: string[] = [];
  private readonly random: (below: number) => number;
  private readonly names = ['a.log', 'b.log', 'sub/c.log'];
  /** Bytes of the last line of a file that are not written yet. */
  private readonly halves = new Map<string, Buffer>();
  /** Where the writer of a file goes on though it was truncated; undefined: at its end. */
  private readonly places = new Map<string, number>();
  private readonly telling = new Set<string>();
  private tailer: FileTailer | null = null;
  private reading: Promise<void> = Promise.resolve();
  private lines = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  start(): void {
    const tailer = new FileTailer({
      paths: [join(this.directory, '*.log'), join(this.directory, 'sub'), join(this.directory, 'current')],
      stateFile: join(this.directory, '.state', 'offsets.json'),
      pollMs: 4,
      goneKeptMs: 40,
      openFilesMax: 1 + this.random(4),
    });
    this.tailer = tailer;
    this.reading = this.read(tailer);
  }

  private async read(tailer: FileTailer): Promise<void> {
    for await (const { source, lines, starts, to, cut } of tailer.batches()) {
      if (cut) await source.plan(to);
      for (const [i, line] of lines.entries()) {
        const text = line instanceof OverlongLine ? `<${line.sizeBytes}>` : Buffer.from(line).toString();
        const place = `${source.id}:${starts[i]}`;
        const known = this.came.get(place);
        if (known !== undefined && known !== text) this.conflicts.push(`${place}: ${known} and ${text}`);
        this.came.set(place, text);
      }
      // What copies are known by is kept once there is enough of it.
      const telling = to >= 256 && !this.telling.has(source.id);
      if (telling) this.telling.add(source.id);
      if (telling || this.random(3) > 0) await source.commit(to);
    }
  }

  async stop(): Promise<void> {
    this.tailer?.close();
    await this.reading;
    this.tailer = null;
  }

  private path(name: string): string {
    return join(this.directory, name);
  }

  private line(): string {
    const words = ['ofen', 'brød', '麵包', '🥖', 'a\tb', '  x'];
    const text = Array.from({ length: this.random(12) }, () => words[this.random(words.length)]).join(' ');
    return `line ${++this.lines} ${text}`;
  }

  private write(name: string, bytes: Buffer): void {
    const place = this.places.get(name);
    if (place === undefined) return appendFileSync(this.path(name), bytes);
    const descriptor = openSync(this.path(name), 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, place);
    closeSync(descriptor);
    this.places.set(name, place + bytes.length);
  }

  private complete(name: string): void {
    const half = this.halves.get(name);
    this.halves.delete(name);
    if (half !== undefined) this.write(name, half);
  }

  append(name: string): void {
    this.complete(name);
    const lines = Array.from({ length: 1 + this.random(8) }, () => this.line());
    this.expected.push(...lines);
    this.write(name, Buffer.from(`${lines.join('\n')}\n`));
  }

  /** A line in two pieces, which may part a character. */
  private appendHalf(name: string): void {
    this.complete(name);
    const line = this.line();
    this.expected.push(line);
    const bytes = Buffer.from(`${line}\n`);
    const at = 1 + this.random(bytes.length - 1);
    this.write(name, bytes.subarray(0, at));
    this.halves.set(name, bytes.subarray(at));
  }

  private forget(name: string): void {
    this.halves.delete(name);
    this.places.delete(name);
  }

  private async rotate(name: string): Promise<void> {
    this.complete(name);
    // What comes and goes between two looks was never there.
    await this.settle();
    if (this.random(2) === 0) this.append(name);
    const older = `${this.path(name)}.${this.lines}`;
    // In a directory it is still followed, and may yet be finished.
    if (this.random(3) === 0 && !name.startsWith('sub/')) {
      const last = this.line();
      this.expected.push(last);
      this.write(name, Buffer.from(last));
    }
    renameSync(this.path(name), older);
    this.forget(name);
    if (this.random(2) === 0) this.append(name);
  }

  private async truncate(name: string, sparse: boolean): Promise<void> {
    this.complete(name);
    await this.settle();
    const { size } = statSync(this.path(name));
    truncateSync(this.path(name), 0);
    this.forget(name);
    if (sparse && size > 0) this.places.set(name, size);
    const before = this.lines;
    this.append(name);
    // Grown past where it was read before anybody looks.
    if (this.random(2) === 0)
      while (statSync(this.path(name)).size <= size && this.lines < before + 400) this.append(name);
  }

  /** What was written last is in the copy alone. */
  private async copyAndTruncate(name: string): Promise<void> {
    this.complete(name);
    await this.settle();
    if (this.tailer === null || this.places.has(name) || statSync(this.path(name)).size < 300) return;
    if (this.random(2) === 0) this.append(name);
    copyFileSync(this.path(name), `${this.path(name)}.${this.lines}`);
    truncateSync(this.path(name), 0);
    this.append(name);
  }

  private async remove(name: string): Promise<void> {
    this.complete(name);
    await this.settle();
    unlinkSync(this.path(name));
    this.forget(name);
  }

  private async retarget(): Promise<void> {
    await this.settle();
    const target = this.path(`day-${this.lines}.txt`);
    const link = this.path('current');
    const lines = [this.line(), this.line()];
    this.expected.push(...lines);
    writeFileSync(target, `${lines.join('\n')}\n`);
    const fresh = this.path(`.link-${this.lines}`);
    symlinkSync(target, fresh);
    renameSync(fresh, link);
  }

  /** All that was written has come. */
  async settle(): Promise<void> {
    const stopped = this.tailer === null;
    if (stopped) this.start();
    const untilMs = Date.now() + 40_000;
    while (this.missing().length > this.halves.size) {
      if (Date.now() > untilMs)
        throw new Error(`missing: ${this.missing().join(' | ')}\nafter ${this.history.slice(-20).join(', ')}`);
      await sleep(3);
    }
    if (stopped) await this.stop();
  }

  missing(): string[] {
    const came = new Set(this.came.values());
    return this.expected.filter((line) => !came.has(line));
  }

  async step(): Promise<void> {
    const name = this.names[this.random(this.names.length)] as string;
    const there = existsSync(this.path(name));
    const roll = this.random(21);
    this.history.push(`${name} ${roll} @${this.lines + 1}`);
    if (roll < 8) this.append(name);
    else if (roll < 11) this.appendHalf(name);
    else if (roll < 13 && there) await this.rotate(name);
    else if (roll === 13 && there) await this.truncate(name, false);
    else if (roll === 14 && there) await this.truncate(name, true);
    else if (roll === 15 && there) await this.remove(name);
    else if (roll === 16 && this.tailer !== null) await this.retarget();
    else if (roll === 17) await sleep(this.random(15));
    else if (roll === 18) await this.stop();
    else if (roll === 19 && there) await this.copyAndTruncate(name);
    else if (this.tailer === null) this.start();
  }

  finish(): void {
    for (const name of this.halves.keys()) this.complete(name);
  }
}

describe('a followed world', () => {
  it.each(Array.from({ length: 24 }, (_, i) => i + 1))(
    'of seed %i loses nothing and gives nothing two names',
    { timeout: 60_000 },
    async (seed) => {
      const world = new World(seed);
      mkdirSync(join(world.directory, 'sub'));
      try {
        world.start();
        for (let step = 0; step < stepsMax; step++) await world.step();
        world.finish();
        await world.settle();
        await world.stop();
        expect(world.missing(), `seed ${seed}: ${world.history.slice(-30).join(', ')}`).toEqual([]);
        expect(world.conflicts).toEqual([]);
        const all = [...world.came.values()].filter((line) => line !== '');
        expect(all.sort()).toEqual([...world.expected].sort());
      } finally {
        await world.stop();
        rmSync(world.directory, { recursive: true });
      }
    },
  );
});
