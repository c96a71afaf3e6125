/**
 * Follows growing files: late creation, rotation by rename and by copy-and-truncate, restarts. Looking is the truth;
 * `fs.watch` only tells earlier where to look. What makes every line come at least once, and lets who takes them tell
 * those that come again:
 *   F1  each content of a file has a name, which is on disk before a line of it goes out; a line is known by that name
 *       and by where it begins;
 *   F2  a place where records are cut apart that no line tells of (`plan`) is on disk before what ends there goes out;
 *       after a restart lines come up to there, and then the rest;
 *   F3  an offset is kept (`commit`) only when everything before it was acknowledged.
 */
import type { FollowedFile } from './followed-file.ts';
import { FollowedSet, type FollowedSetOptions } from './followed-set.ts';
import type { Line } from './line-splitter.ts';

export interface FileTailerOptions extends FollowedSetOptions {
  /** How long a file whose name is gone is kept open for what its writer still adds, ms, default 30_000. */
  goneKeptMs?: number;
}

/** One content of one file: from its beginning until it is truncated or gone. */
export interface TailSource {
  /** Unique; the same after a restart. */
  readonly id: string;
  /** Path under which the file was found. */
  readonly path: string;
  /** True where everything that was there at the last look has been handed out. */
  readonly caughtUp: boolean;
  /** F2 @throws LogweirError DATA_DIR_UNUSABLE */
  plan(to: number): Promise<void>;
  /** F3 @throws LogweirError DATA_DIR_UNUSABLE */
  commit(to: number): Promise<void>;
}

export interface TailBatch {
  source: TailSource;
  /** Complete lines; an unfinished one only where nobody goes on with it, or at a planned cut. */
  lines: Line[];
  /** Where each of them begins, bytes. */
  starts: number[];
  /** Where the last of them ends, newline included. */
  to: number;
  /** What is open behind the last line ends here: planned before, or nothing comes any more. */
  cut: boolean;
  /** True where the source is done with. */
  last: boolean;
}

const goneKeptMsDefault = 30_000;
/** A swarm of events is gathered for this long, ms. */
const swarmMs = 20;
const readBytes = 256 * 1024;
/** New files whose names are put on disk in one go: so many batches are in memory. */
const heldMax = 256;

export class FileTailer {
  /** Resolves when the files that are there have been found: what is written from then on counts as new. */
  readonly ready: Promise<void>;
  private readonly markReady: () => void;
  private readonly options: FileTailerOptions;
  private readonly set: FollowedSet;
  /** First lines of new files, one batch a file, which wait for F1. */
  private readonly held: { file: FollowedFile; batch: TailBatch }[] = [];
  private readonly buffer = Buffer.allocUnsafe(readBytes);
  private wake: (() => void) | undefined;
  private closed = false;

  constructor(options: FileTailerOptions) {
    this.options = options;
    this.set = new FollowedSet(options, () => this.wake?.());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.markReady = resolve;
  }

  /** Files followed, and those of them that are held open. */
  get counts(): { files: number; open: number } {
    return { files: this.set.files.size, open: this.set.handles.count };
  }

  /** Batches of new lines, for ever: ends after `close` or when the signal aborts. @throws LogweirError DATA_DIR_UNUSABLE */
  async *batches(signal?: AbortSignal): AsyncGenerator<TailBatch> {
    const stop = (): void => this.close();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) this.closed = true;
    try {
      await this.set.store.load();
      while (!this.closed) {
        if (performance.now() >= this.set.nextLookMs) await this.set.look();
        else this.set.lookAtHints();
        this.markReady();
        const round = Array.from(this.set.due);
        for (const key of round) {
          const file = this.set.files.get(key);
          if (file === undefined) this.set.due.delete(key);
          else yield* this.step(file);
          if (this.held.length >= heldMax) yield* this.release();
          if (this.closed) break;
        }
        yield* this.release();
        if (!this.closed && this.set.due.size === 0) await this.pause();
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.close();
      this.markReady();
      await this.set.close();
    }
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  /** One read of a file that may have something new. */
  private async *step(file: FollowedFile): AsyncGenerator<TailBatch> {
    const source = this.sourceOf(file);
    const outcome = await this.read(file);
    switch (outcome.kind) {
      case 'lines': {
        file.quietSinceMs = 0;
        const batch = { source, ...outcome.cut, to: outcome.to, cut: outcome.atCut, last: false };
        if (file.registered) yield batch;
        else this.held.push({ file, batch });
        return;
      }
      case 'progress':
        file.quietSinceMs = 0;
        return;
      case 'replaced': {
        const copied = await this.set.takeUpCopy(outcome.before, outcome.to, outcome.writtenMs);
        yield { source, ...(copied ? { lines: [], starts: [] } : outcome.rest), to: 0, cut: true, last: true };
        return;
      }
      case 'foreign':
        await this.set.drop(file);
        return;
      case 'nothing':
        this.set.due.delete(file.key);
        if (file.goneSinceMs > 0) yield* this.stepGone(file, source);
        else if (file.hasStaleHalf(this.set.halfMs)) yield* this.letGo(file, source);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** The unfinished line of a file that was rotated away is let go at the second look, the file itself later. */
  private async *stepGone(file: FollowedFile, source: TailSource): AsyncGenerator<TailBatch> {
    const now = performance.now();
    const readable = file.handle !== undefined;
    if (file.quietSinceMs > 0 || !readable) yield* this.letGo(file, source);
    else file.quietSinceMs = now;
    if (readable && now - file.quietSinceMs < (this.options.goneKeptMs ?? goneKeptMsDefault)) return;
    yield { source, lines: [], starts: [], to: file.to, cut: true, last: true };
    await this.set.drop(file);
  }

  private *letGo(file: FollowedFile, source: TailSource): Generator<TailBatch> {
    const rest = file.finish();
    if (rest !== undefined) yield { source, ...rest.cut, to: rest.to, cut: true, last: false };
  }

  private async read(file: FollowedFile): ReturnType<FollowedFile['read']> {
    try {
      const handle = await this.set.open(file);
      if (handle === undefined) return { kind: 'nothing' };
      const outcome = await file.read(handle, this.buffer);
      this.set.mended(file.path);
      return outcome;
    } catch (error) {
      // Looked at again: what hinders may be mended.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.set.report(file.path, error as NodeJS.ErrnoException);
      await this.set.handles.close(file);
      file.forgetLook();
      return { kind: 'nothing' };
    }
  }

  private sourceOf(file: FollowedFile): TailSource {
    const { id, path } = file;
    const { files, store } = this.set;
    const isDue = (): boolean => this.set.due.has(file.key);
    const keep = async (offset: number, cut: number | null): Promise<void> => {
      // Other content stands there by now, which has an entry of its own.
      if (file.id !== id) return;
      store.set(file.entry(offset, cut));
      store.trim(files);
      await store.save();
    };
    return {
      id,
      path,
      get caughtUp() {
        return file.id !== id || !isDue();
      },
      plan: (to) => keep(file.committed, to),
      commit: (to) => {
        if (file.id === id) file.committed = to;
        return keep(to, file.cut);
      },
    };
  }

  /** F1: hands out the first lines of new files, in one go, once their names are on disk. */
  private async *release(): AsyncGenerator<TailBatch> {
    const held = this.held.splice(0);
    if (held.length === 0) return;
    for (const { file, batch } of held) {
      if (file.id !== batch.source.id) continue;
      this.set.store.set(file.entry(file.committed, file.cut));
      file.registered = true;
    }
    this.set.store.trim(this.set.files);
    await this.set.store.save();
    for (const { batch } of held) yield batch;
  }

  private async pause(): Promise<void> {
    const ms = this.set.nextLookMs - performance.now();
    if (ms <= 0 || this.set.hinted) return;
    let hinted = false;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = () => {
        hinted = true;
        done();
      };
    });
    if (hinted && !this.closed) await new Promise((resolve) => setTimeout(resolve, Math.min(swarmMs, ms)));
  }
}
