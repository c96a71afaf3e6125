/**
 * Follows growing files into the live lane: every line at least once, and no record twice though the process is killed
 * at any moment. Each record carries the name of its file's content and where its first line is whole there as its idempotency key,
 * so that the partition drops those that come again. That they come again the same is the matter of F1–F3 (tailer.ts):
 * records end where the next one begins, or at places that were put on disk before.
 */
import { createHash } from 'node:crypto';
import { type ContainerOrigin, LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { type DeadLetters, sleep, type Time } from '#bus/mod.ts';
import { LogweirError, RecordView, recordBytesMax, unknownService, viewOf } from '#protocol/mod.ts';
import { type BatchPublisher, Ticket } from './batch-publisher.ts';
import { containerAt, FileTailer, OverlongLine, type TailBatch, type TailSource } from './files/mod.ts';
import { type Gate, openGate, type Source } from './pipeline/gate.ts';

export interface FollowOptions {
  paths: readonly string[];
  /** JSON file with the offsets. */
  stateFile: string;
  publisher: BatchPublisher;
  service: string | undefined;
  time: Time;
  signal: AbortSignal;
  onProblem: (path: string, error: Error) => void;
  onMended?: (path: string) => void;
  onWaiting?: (path: string) => void;
  onRecords: (records: number) => void;
  /** What records pass on their way, default nothing. */
  gate?: Gate | undefined;
  /** Where lines that are too long, and files that cannot be read, are put down; default nowhere. */
  dead?: DeadLetters;
}

/** A record may still grow by continuation lines: it is let go after this long without news of its file, ms. */
const settleMs = 500;
/** Offsets of a busy file are kept this often, ms. */
const keepMs = 2_000;
/** A parser dates stamps without a year by when it was made: a busy file gets a new one after this long, ms. */
const parserMsMax = 3_600_000;
/** Ordinals of one key: 31 bits of the offset. The rest of it is in the key. */
const segmentBytes = 2 ** 31;
/** 128 bits in base64url. */
const keyCharacters = 22;

/** Runs until aborted. @throws LogweirError when the stream does not take records. */
export async function follow(options: FollowOptions): Promise<void> {
  await new Follower(options).run();
}

class Follower {
  private readonly options: FollowOptions;
  private readonly tailer: FileTailer;
  private readonly open = new Map<string, OpenSource>();
  /** Done with, and not all of it acknowledged. */
  private readonly ending = new Set<Promise<void>>();
  private readonly reported = new Set<string>();
  private readonly view = new RecordView();
  private failure: unknown;

  constructor(options: FollowOptions) {
    this.options = options;
    this.tailer = new FileTailer({
      ...options,
      onProblem: (path, error) => {
        if (error instanceof LogweirError) this.setAside('unreadable', error.message, path, 0);
        options.onProblem(path, error);
      },
    });
  }

  async run(): Promise<void> {
    const { publisher, time, signal } = this.options;
    const stopSweeping = time.every(settleMs / 2, () => this.sweep());
    try {
      for await (const batch of this.tailer.batches(signal)) {
        while (publisher.full && this.failure === undefined) await sleep(time, 5);
        await this.take(batch);
        if (this.failure !== undefined) break;
      }
      if (this.failure === undefined) {
        for (const source of this.open.values()) this.watch(source.settle(true));
        await Promise.allSettled(this.ending);
      }
    } finally {
      stopSweeping();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  private async take(batch: TailBatch): Promise<void> {
    const { id } = batch.source;
    let source = this.open.get(id);
    if (source === undefined) {
      source = new OpenSource(batch.source, this.options, this.view);
      this.open.set(id, source);
    }
    // What is open in its parser may be about to be cut off.
    await source.cutting;
    this.reportOverlong(batch);
    source.take(batch);
    if (batch.cut || batch.last) this.watch(source.settle(true));
    if (batch.last) this.open.delete(id);
  }

  /** Of a line that is left out nothing is kept in memory; where it begins, it can be read in its file. */
  private setAside(reason: 'too_long' | 'unreadable', detail: string, source: string, bytesWhole: number): void {
    const { dead, service = '', time } = this.options;
    const bytes = new Uint8Array();
    dead?.put({ reason, detail, receiver: 'file', source, service, atMs: time.now(), bytes, bytesWhole });
  }

  private reportOverlong({ source: { path }, lines, starts }: TailBatch): void {
    for (const [i, line] of lines.entries()) {
      if (!(line instanceof OverlongLine)) continue;
      const detail = `the line has ${line.sizeBytes} bytes, ${recordBytesMax} are allowed`;
      this.setAside('too_long', detail, `${path}, byte ${starts[i] ?? 0}`, line.sizeBytes);
    }
    if (this.reported.has(path)) return;
    const line = lines.find((one): one is OverlongLine => one instanceof OverlongLine);
    if (line === undefined) return;
    this.reported.add(path);
    const said = `A line of ${line.sizeBytes} bytes was left out, ${recordBytesMax} are allowed. More such lines are left out in silence.`;
    this.options.onProblem(path, new Error(said));
  }

  private sweep(): void {
    const now = this.options.time.now();
    for (const [id, source] of this.open) {
      const due = source.due(now);
      if (due === 'idle') this.open.delete(id);
      else if (due !== 'nothing') this.watch(source.settle(due === 'cut'));
    }
  }

  private watch(done: Promise<void>): void {
    this.ending.add(done);
    done
      .catch((error: unknown) => {
        this.failure ??= error;
        this.tailer.close();
      })
      .finally(() => this.ending.delete(done));
  }
}

/** A source that lines came of lately. */
class OpenSource {
  /** Settles once what was open when a cut was asked for is cut off; null: none is. */
  cutting: Promise<void> | null = null;
  private readonly source: TailSource;
  private readonly options: FollowOptions;
  private readonly view: RecordView;
  private parser: LineParser;
  private parserSinceMs: number;
  /** Follows the records since the last settling. */
  private ticket = new Ticket();
  /** Where what the parser has ends. */
  private end = 0;
  private kept = -1;
  private keptMs: number;
  private changedMs: number;
  /** One settling after the other. */
  private settling: Promise<void> = Promise.resolve();
  private settlings = 0;
  private segment = -1;
  private key = '';
  private readonly emit = (record: ParsedRecord, _at: number, order: number): void => this.publish(record, order);
  private readonly container: ContainerOrigin | undefined;

  constructor(source: TailSource, options: FollowOptions, view: RecordView) {
    this.source = source;
    this.options = options;
    this.view = view;
    this.changedMs = options.time.now();
    this.keptMs = this.changedMs;
    this.container = containerAt(source.path);
    this.parser = this.newParser();
    this.parserSinceMs = this.changedMs;
  }

  private newParser(): LineParser {
    const { source, options } = this;
    const { service, gate = openGate } = options;
    const observedMs = options.time.now();
    const lines = gate.lineOptions('file', source.path, service ?? '');
    return new LineParser({ sourceName: source.path, container: this.container, service, observedMs, ...lines });
  }

  take({ lines, starts, to }: TailBatch): void {
    const { parser, emit } = this;
    for (const [i, line] of lines.entries()) {
      if (line instanceof OverlongLine) parser.reject(line.sizeBytes, emit);
      else parser.push(line, emit, starts[i]);
    }
    if (to > this.end) this.end = to;
    this.changedMs = this.options.time.now();
  }

  private publish(record: ParsedRecord, order: number): void {
    const { publisher, time, onRecords, service, gate = openGate } = this.options;
    const nowMs = time.now();
    const view = viewOf(record, { observedMs: nowMs, service: unknownService }, this.view);
    view.idempotencyKey = this.keyAt(order);
    // Ascending: the partition takes what is not behind the last for known.
    view.ordinal = order % segmentBytes;
    const { path } = this.source;
    const from: Source = {
      receiver: 'file',
      file: path,
      place: path,
      line: 0,
      nowMs,
      serviceGiven: service !== undefined,
    };
    const passed = gate.passView(view, from, record.raw ?? null);
    if (passed !== null) publisher.add(passed, this.ticket, nowMs);
    onRecords(1);
  }

  private keyAt(place: number): string {
    const segment = Math.floor(place / segmentBytes);
    if (segment !== this.segment) {
      const hash = createHash('sha256').update(`follow:${this.source.id}:${segment}`);
      this.key = hash.digest('base64url').slice(0, keyCharacters);
      this.segment = segment;
    }
    return this.key;
  }

  due(nowMs: number): 'nothing' | 'keep' | 'cut' | 'idle' {
    if (this.settlings > 0) return 'nothing';
    if (nowMs - this.changedMs >= settleMs && this.source.caughtUp)
      return this.parser.resumeAt === null && this.kept >= this.end ? 'idle' : 'cut';
    if (nowMs - this.keptMs < keepMs) return 'nothing';
    return nowMs - this.parserSinceMs >= parserMsMax ? 'cut' : 'keep';
  }

  /** Keeps the offset up to where records are whole; `cut`: the open one too. @throws LogweirError */
  async settle(cut: boolean): Promise<void> {
    this.settlings++;
    const before = this.settling;
    const cutting = cut ? before.then(() => this.cutOpen()) : before;
    if (cut) this.cutting = cutting;
    this.settling = cutting.then(() => this.keep());
    try {
      await this.settling;
    } finally {
      if (this.cutting === cutting) this.cutting = null;
      this.settlings--;
    }
  }

  /** F2 */
  private async cutOpen(): Promise<void> {
    if (this.parser.resumeAt === null) return;
    await this.source.plan(this.end);
    this.parser.flush(this.emit);
    this.parser = this.newParser();
    this.parserSinceMs = this.options.time.now();
  }

  /** F3 */
  private async keep(): Promise<void> {
    const to = this.parser.resumeAt ?? this.end;
    this.keptMs = this.options.time.now();
    if (to <= this.kept) return;
    const { ticket } = this;
    this.ticket = new Ticket();
    await ticket.done();
    await this.source.commit(to);
    this.kept = to;
  }
}
