import { createHash } from 'node:crypto';
import { setTimeout as sleepReal } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { admit, CollectedDeadLetters, MemoryBus, type Objects, startMark, type Streams, systemTime } from '#bus/mod.ts';
import {
  decodeLogsMessage,
  BatchBuilder,
  buckets,
  decodeResults,
  encodeLogsMessage,
  keys,
  LogweirError,
  objectBuckets,
  pack,
  RecordView,
  type Section,
  streams,
  subjects,
  viewOf,
  type WriterMarks,
} from '#protocol/mod.ts';
import { CheckpointBudget } from './checkpoint-budget.ts';
import { CheckpointStore } from './checkpoints.ts';
import { emptyFold, PartitionFold } from './fold.ts';
import { Partition } from './partition.ts';
import { PartitionRunner } from './runner.ts';
import { Turns } from './turns.ts';

const partition = 5;

/** A cluster of one partition. Bodies that begin with "poison" make the analysis throw. */
class Bench {
  bus!: MemoryBus;
  objects!: Objects;
  store!: CheckpointStore;
  said: string[] = [];
  dead = new CollectedDeadLetters();
  nowMs = 1_700_000_000_000;
  runner: PartitionRunner | null = null;
  poisoned: ReadonlySet<number> = new Set();
  isShort = false;

  async open(): Promise<void> {
    this.bus = new MemoryBus(() => this.nowMs);
    await this.addStreams();
    this.objects = await this.bus.objects(objectBuckets.checkpoints);
    this.store = new CheckpointStore(await this.bus.keyValue(buckets.checkpoints), this.objects);
  }

  private async addStreams(): Promise<void> {
    const settings = { bytesMax: 1e9, replicas: 1, duplicateWindowMs: 1_000 };
    await this.bus.streams.ensure({ ...settings, name: streams.logs, subjects: ['logs.*'] });
    await this.bus.streams.ensure({ ...settings, name: streams.results, subjects: ['results.*'] });
    await this.bus.streams.ensure({ ...settings, name: streams.anomalies, subjects: ['anomalies.*'] });
  }

  /** LOGS as another server would bring it: made anew, or with its newest messages gone. */
  async changeLogs(keepUpTo: number): Promise<void> {
    this.loseTail(streams.logs, keepUpTo);
  }

  loseTail(name: string, keepUpTo: number): void {
    const { bus } = this;
    const before = (
      bus as unknown as {
        byName: Map<string, { messages: { sequence: number }[]; lastSequence: number; bytes: number }>;
      }
    ).byName;
    const stream = before.get(name)!;
    stream.messages = stream.messages.filter(({ sequence }) => sequence <= keepUpTo);
    stream.lastSequence = keepUpTo;
  }

  /** What the writer would tell that has read all of RESULTS. */
  async marks(): Promise<WriterMarks> {
    const { mark } = await this.published('pass gaps');
    const { lastSequence } = await this.bus.streams.info(streams.results);
    return { position: lastSequence, marks: { [partition]: mark } };
  }

  async send(body: string): Promise<number> {
    this.nowMs += 1_000;
    const builder = new BatchBuilder('live', 'test');
    const record = { service: 'a', body, timeMs: this.nowMs, severityNumber: 9, severityText: 'INFO' };
    builder.add(viewOf(record, { observedMs: this.nowMs, service: 'x' }, new RecordView()), 1);
    const batch = builder.take()!;
    const { sequence } = await this.bus.streams.publish(
      subjects.logs(partition),
      encodeLogsMessage({ kind: 'batch', batch }),
    );
    return sequence;
  }

  async start(generation = 1, epoch = 1, everyMs = 3_600_000): Promise<PartitionRunner> {
    const budget = new CheckpointBudget({ everyMs });
    budget.isShort = this.isShort;
    this.runner = new PartitionRunner({
      bus: this.bus,
      checkpoints: this.store,
      partition,
      epoch,
      generation,
      time: { ...systemTime, now: () => this.nowMs },
      turns: new Turns(systemTime),
      log: (text) => this.said.push(text),
      dead: this.dead,
      onServices: () => {},
      resultsLingerMs: 0,
      emptyLingerMs: 0,
      budget,
      running: () => 1,
    });
    await this.runner.start();
    this.runner.ended.catch(() => {});
    return this.runner;
  }

  /** Until the runner has taken everything up to a sequence and published it. */
  async upTo(sequence: number): Promise<void> {
    await vi.waitUntil(async () => (await this.published()).mark.sequence === sequence, {
      timeout: 30_000,
      interval: 5,
    });
  }

  /** A runner that takes everything up to a sequence, and leaves a checkpoint there. */
  async runUpTo(sequence: number): Promise<void> {
    const runner = await this.start();
    await this.upTo(sequence);
    await runner.drain();
  }

  /** As a reader sees RESULTS: sections taken once, marks moved; throws at a gap, or refuses what is behind it. */
  async published(how: 'throw' | 'pass gaps' = 'throw'): Promise<{ sections: Section[]; mark: typeof startMark }> {
    const info = await this.bus.streams.info(streams.results);
    const subscription = await this.bus.streams.consume(streams.results, { fromSequence: 1 });
    let mark = startMark;
    const sections: Section[] = [];
    if (info.lastSequence > 0)
      for await (const message of subscription) {
        const result = decodeResults(message.data);
        const admission = admit(mark, result);
        if (admission.verdict === 'gap' && how === 'throw')
          throw new Error(`gap at ${result.from}, mark ${mark.sequence}`);
        if (admission.verdict === 'take') {
          for (const section of result.sections) if (section.sequence > admission.above) sections.push(section);
          mark = admission.mark;
        }
        if (message.sequence === info.lastSequence) break;
      }
    await subscription.stop();
    return { sections, mark };
  }

  async checkpointAt(sequence: number): Promise<void> {
    await vi.waitUntil(
      async () => {
        this.nowMs += 10;
        return (await this.store.pointer(partition))?.entries[0]?.sequence === sequence;
      },
      { timeout: 8_000, interval: 5 },
    );
  }

  /** State of the newest checkpoint. */
  async checkpointed(): Promise<string> {
    const report = { problems: [], damaged: new Set<string>(), known: [], pointerLost: false };
    const loaded = await this.store.load(partition, null, (chain) => Partition.restore(chain, partition), report);
    return digest(loaded!.state);
  }

  /** What a fold of the whole stream comes to. */
  async folded(): Promise<string> {
    const fold = new PartitionFold(partition);
    const result = emptyFold();
    const subject = subjects.logs(partition);
    const subscription = await this.bus.streams.consume(streams.logs, { fromSequence: 1, subject });
    const { lastSequence } = await this.bus.streams.info(streams.logs);
    for await (const message of subscription) {
      fold.take(message, result);
      if (message.sequence === lastSequence) break;
    }
    return digest((fold as unknown as { partition: Partition }).partition);
  }
}

function digest(state: Partition): string {
  return `${state.sequence} ${createHash('sha256').update(state.snapshot()).digest('hex')}`;
}

let bench: Bench;
const step = Partition.prototype.step;

beforeEach(async () => {
  bench = new Bench();
  await bench.open();
  vi.spyOn(Partition.prototype, 'step').mockImplementation(function (this: Partition, message, poisoned = null) {
    const output = step.call(this, message, poisoned);
    // Thrown after the state was touched: what is left of it must not become a checkpoint.
    if (poisoned === null && bench.poisoned.has(message.sequence)) throw new Error('a bug in the analysis');
    return output;
  });
});

afterEach(async () => {
  await bench.runner?.stop();
  vi.restoreAllMocks();
});

describe('a message whose analysis throws', () => {
  it.each([
    ['one', [4]],
    ['two in a row', [4, 5]],
    ['the first of all', [1]],
    ['the last', [8]],
    ['every other', [2, 4, 6, 8]],
  ])('is a dead letter, changes no state, and leaves the chain whole: %s', async (_, poisoned) => {
    bench.poisoned = new Set(poisoned);
    for (let i = 1; i <= 8; i++) await bench.send(`order ${i} of customer ${i * 7} shipped`);
    const runner = await bench.start();
    await bench.upTo(8);
    await runner.drain();
    const { sections } = await bench.published();
    expect(sections.filter(({ deadLetter }) => deadLetter !== null).map(({ sequence }) => sequence)).toEqual(poisoned);
    expect(sections.find(({ sequence }) => sequence === poisoned[0])?.deadLetter).toMatch(/message \d failed: a bug/);
    expect(sections.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(bench.said.filter((text) => text.includes('a bug in the analysis')).length).toBeGreaterThanOrEqual(
      poisoned.length,
    );
    expect(await bench.checkpointed()).toBe(await bench.folded());
    // Whole, with its position, and the way back.
    const { letters } = bench.dead;
    const sources = poisoned.map((sequence) => `LOGS generation 1, partition 5, sequence ${sequence}`);
    expect([...new Set(letters.map(({ source }) => source))]).toEqual(sources);
    expect(letters[0]).toMatchObject({ reason: 'poison', receiver: 'worker', resend: { path: 'logs.5' } });
    expect(decodeLogsMessage(letters[0]?.bytes as Uint8Array).kind).toBe('batch');
  });

  it('is met right after a checkpoint, and again by the next owner', async () => {
    for (let i = 1; i <= 4; i++) await bench.send(`order ${i} shipped`);
    const first = await bench.start();
    await bench.upTo(4);
    await first.drain();
    bench.poisoned = new Set([5]);
    await bench.send('poison');
    await bench.send('order 6 shipped');
    const second = await bench.start(1, 2);
    await bench.upTo(6);
    await second.stop();
    await (await bench.start(1, 3)).drain();
    const last = await bench.start(1, 4);
    await expect.poll(() => last.counts.sequence).toBe(6);
    await last.drain();
    expect((await bench.published()).sections.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });

  it('does not mix with a checkpoint in flight', async () => {
    const put = bench.objects.put.bind(bench.objects);
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let began = (): void => {};
    const inFlight = new Promise<void>((resolve) => {
      began = resolve;
    });
    bench.objects.put = async (name, bytes) => {
      began();
      await held;
      await put(name, bytes);
    };
    for (let i = 1; i <= 4; i++) await bench.send(`order ${i} shipped`);
    const runner = await bench.start(1, 1, 1);
    await bench.upTo(4);
    bench.nowMs += 10;
    await inFlight;
    bench.poisoned = new Set([5]);
    await bench.send('poison');
    await bench.send('order 6 shipped');
    await expect.poll(() => bench.said.join()).toMatch(/a bug/);
    letGo();
    await bench.upTo(6);
    await runner.drain();
    expect((await bench.published()).sections.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });
});

describe('results that RESULTS lost', () => {
  const sequences = (sections: readonly Section[]): number[] => sections.map(({ sequence }) => sequence);
  const taken = async (): Promise<number[]> => sequences((await bench.published('pass gaps')).sections);
  /** One message of results each. */
  const sendEach = async (from: number, to: number): Promise<void> => {
    for (let i = from; i <= to; i++) await bench.upTo(await bench.send(`order ${i} of customer ${i * 7} shipped`));
  };

  it('are published again from where the writer waits, though a message on the way turns out to be poison', async () => {
    bench.poisoned = new Set([4]);
    const first = await bench.start();
    await sendEach(1, 6);
    await first.drain();
    bench.loseTail(streams.results, 2);
    // Its checkpoint is not above what it finds published by then, and it has not met message 4.
    const { last } = bench.bus.streams;
    bench.bus.streams.last = async () => null;
    const runner = await bench.start();
    bench.bus.streams.last = last;
    await bench.send('order 7 shipped');
    await expect.poll(() => runner.counts.sequence).toBe(7);
    await expect.poll(async () => (await bench.bus.streams.info(streams.results)).lastSequence).toBe(3);
    await expect
      .poll(async () => {
        runner.heed(await bench.marks());
        return bench.said.join();
      })
      .toMatch(/RESULTS lost what was published after 2/);
    await expect.poll(taken).toEqual([1, 2, 3, 4, 5, 6, 7]);
    await runner.drain();
  });

  it('and a checkpoint that was under way is none to go on from', async () => {
    const runner = await bench.start(1, 1, 1);
    await sendEach(1, 4);
    await bench.checkpointAt(4);
    const put = bench.objects.put.bind(bench.objects);
    const [held, began] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    bench.objects.put = async (name, bytes) => {
      began.resolve();
      await held.promise;
      await put(name, bytes);
    };
    await sendEach(5, 6);
    bench.nowMs += 10;
    await began.promise;
    // All is well at this look.
    runner.heed(await bench.marks());
    const { lastSequence } = await bench.bus.streams.info(streams.results);
    bench.loseTail(streams.results, 2);
    await bench.send('order 7 shipped');
    await expect.poll(async () => (await bench.bus.streams.info(streams.results)).lastSequence).toBe(3);
    runner.heed({ position: lastSequence, marks: { [partition]: { generation: 1, sequence: 2 } } });
    await expect.poll(taken).toEqual([1, 2, 3, 4, 5, 6, 7]);
    held.resolve();
    for (let i = 8; i <= 10; i++) {
      await bench.send(`order ${i} shipped`);
      await expect.poll(async () => (await taken()).length).toBe(i);
      await bench.checkpointAt(i);
      expect(await bench.checkpointed()).toBe(await bench.folded());
    }
    await runner.drain();
  });
});

describe('checkpoints of a running partition', () => {
  it('go on as changes, and a drain during one leaves the newest behind', async () => {
    const runner = await bench.start(1, 1, 1);
    for (let i = 1; i <= 40; i++) {
      await bench.upTo(await bench.send(`order ${i} of customer ${i * 7} shipped`));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await bench.send('one more');
    await bench.upTo(41);
    await runner.drain();
    expect(runner.checkpointCounts.checkpoints).toBeGreaterThan(3);
    expect((await bench.store.pointer(partition))?.entries[0]?.sequence).toBe(41);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });

  it('begin a chain with every third while LOGS is short of room, so that it need keep little', async () => {
    bench.isShort = true;
    await bench.start(1, 1, 1);
    for (let i = 1; i <= 12; i++) {
      await bench.checkpointAt(await bench.send(`order ${i} of customer ${i * 7} shipped`));
      const { entries } = (await bench.store.pointer(partition))!;
      expect(entries[0]!.chain.length).toBeLessThanOrEqual(3);
      if (i > 6) expect(entries.at(-1)!.sequence).toBeGreaterThanOrEqual(i - 3);
    }
  });

  it('go on at their pace until none of those kept lies before records, and become rare then', async () => {
    await bench.start(1, 1, 1_000);
    for (let n = 0; n < 6; n++) {
      const sequence = await bench.send(`order ${n} shipped`);
      await bench.upTo(sequence);
      await vi.waitUntil(async () => (await bench.store.pointer(partition))?.entries[0]?.sequence === sequence, {
        timeout: 30_000,
      });
    }
    const tick = encodeLogsMessage({ kind: 'tick' });
    const tickAndWait = async (): Promise<number> => {
      const { sequence } = await bench.bus.streams.publish(subjects.logs(partition), tick);
      await bench.upTo(sequence);
      bench.nowMs += 1_500;
      return sequence;
    };
    const newest = async (): Promise<number> => (await bench.store.pointer(partition))?.entries[0]?.sequence ?? 0;
    for (let n = 0; n < 3; n++) {
      const sequence = await tickAndWait();
      await vi.waitUntil(async () => (await newest()) === sequence, { timeout: 30_000 });
    }
    const entries = (await bench.store.pointer(partition))?.entries ?? [];
    expect(Math.min(...entries.map(({ sequence }) => sequence))).toBeGreaterThanOrEqual(6);
    const kept = await newest();
    await tickAndWait();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await newest()).toBe(kept);
    bench.nowMs += 12_000;
    await vi.waitUntil(async () => (await newest()) === kept + 1, { timeout: 30_000 });
  });

  it('survive that the bus is away during saves', async () => {
    const put = bench.objects.put.bind(bench.objects);
    let failures = 3;
    bench.objects.put = (name, bytes) =>
      failures-- > 0 ? Promise.reject(new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', '')) : put(name, bytes);
    const runner = await bench.start(1, 1, 1);
    for (let i = 1; i <= 20; i++) {
      await bench.upTo(await bench.send(`order ${i} shipped`));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await runner.drain();
    expect(runner.checkpointCounts.checkpointFailures).toBe(3);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });

  it('are refused to a zombie, which leaves what the present owner needs', async () => {
    for (let i = 1; i <= 4; i++) await bench.send(`order ${i} shipped`);
    const zombie = await bench.start(1, 1);
    await bench.upTo(4);
    const owner = await bench.start(1, 2);
    await bench.upTo(4);
    await bench.send('order 5 shipped');
    await bench.upTo(5);
    await owner.drain();
    await zombie.drain();
    expect(bench.said.join()).toMatch(/not written, epoch 2 owns the partition/);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });
});

describe('a stream that no longer reaches back', () => {
  it('is told of as a gap with its range, and readers go on', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`order ${i} shipped`);
    await bench.runUpTo(6);
    await bench.bus.streams.purge(streams.logs, 7, subjects.logs(partition));
    for (const name of await bench.objects.list()) await bench.objects.put(name, new Uint8Array([1]));
    await bench.send('order 7 shipped');
    const runner = await bench.start(1, 2);
    await bench.upTo(7);
    expect(runner.counts.streamGaps).toBe(1);
    expect(runner.checkpointCounts.checkpointFallbacks).toBe(1);
    expect(bench.said.join('\n')).toMatch(
      /checkpoint at 6 cannot be used, object .* is corrupt; the stream is replayed/,
    );
    expect(bench.said.join('\n')).toMatch(/no longer holds messages 1 to 6 of generation 1/);
    // A new checkpoint takes the place of the damaged one.
    await runner.drain();
    expect((await bench.store.pointer(partition))?.entries.map(({ sequence }) => sequence)).toEqual([7, 0]);
  });

  it('is told of where the pointer is lost too', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`order ${i} shipped`);
    await bench.runUpTo(6);
    await bench.bus.streams.purge(streams.logs, 7, subjects.logs(partition));
    await bench.bus.streams.purge(streams.results, 99);
    await (await bench.bus.keyValue(buckets.checkpoints)).put(keys.checkpoint(partition), pack('nonsense'));
    await bench.send('order 7 shipped');
    const runner = await bench.start(1, 2);
    await expect.poll(() => runner.counts.sequence).toBe(7);
    expect(runner.counts.streamGaps).toBe(1);
    expect(bench.said.join('\n')).toMatch(/pointer is damaged/);
  });

  it('is no gap where the stream holds everything that a damaged checkpoint stood for', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`order ${i} shipped`);
    await bench.runUpTo(6);
    for (const name of await bench.objects.list()) await bench.objects.delete(name);
    await bench.send('order 7 shipped');
    const runner = await bench.start(1, 2);
    await bench.upTo(7);
    await runner.drain();
    expect(runner.counts.streamGaps).toBe(0);
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });
});

describe('a LOGS stream that lost its tail', () => {
  const ends = async (runner: PartitionRunner): Promise<unknown> =>
    runner.ended.then(() => null).catch((error: unknown) => error);
  /** Sequences whose rows a reader stored, by generation. */
  async function rows(): Promise<string[]> {
    const { sections } = await bench.published();
    return sections.map(
      ({ batch, sequence }) =>
        `${sequence}:${Buffer.from(batch?.body ?? [])
          .toString()
          .slice(1)}`,
    );
  }

  it('is not read under the old generation; under the next nothing is counted twice', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`old ${i}`);
    const first = await bench.start();
    await bench.upTo(6);
    await first.drain();
    await bench.changeLogs(4);
    await expect(bench.start(1, 2)).rejects.toMatchObject({ code: 'STREAM_CHANGED' });
    for (let i = 5; i <= 9; i++) await bench.send(`new ${i}`);
    // Grown beyond the checkpoint again: only the message at its position tells.
    const second = await bench.start(1, 2);
    expect(await ends(second)).toMatchObject({ code: 'STREAM_CHANGED' });
    const third = await bench.start(2, 3);
    await expect.poll(() => third.counts.sequence).toBe(9);
    await third.drain();
    expect(await rows()).toEqual([
      '1:old 1',
      '2:old 2',
      '3:old 3',
      '4:old 4',
      '5:old 5',
      '6:old 6',
      '5:new 5',
      '6:new 6',
      '7:new 7',
      '8:new 8',
      '9:new 9',
    ]);
    const fourth = await bench.start(2, 4);
    await bench.upTo(await bench.send('new 10'));
    await fourth.drain();
    expect((await rows()).at(-1)).toBe('10:new 10');
  });

  it('is noticed by a worker that runs while it happens', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`old ${i}`);
    const runner = await bench.start();
    await bench.upTo(6);
    const ended = ends(runner);
    (bench.bus as { connected: boolean }).connected = false;
    await bench.changeLogs(3);
    await bench.send('new 4');
    await vi.waitUntil(() => (runner as unknown as { wasAway: boolean }).wasAway, { timeout: 30_000 });
    (bench.bus as { connected: boolean }).connected = true;
    expect(await ended).toMatchObject({ code: 'STREAM_CHANGED' });
    // It never had a checkpoint: what its results say is not said again, and what they lack is.
    const next = await bench.start(2, 2);
    await expect.poll(() => next.counts.sequence).toBe(4);
    await next.drain();
    expect((await rows()).slice(6)).toEqual(['4:new 4']);
  });

  it('goes on in place where the connection broke and nothing changed', async () => {
    for (let i = 1; i <= 3; i++) await bench.send(`order ${i} shipped`);
    const runner = await bench.start();
    await bench.upTo(3);
    const { info } = bench.bus.streams;
    let failures = 2;
    (bench.bus.streams as { info: Streams['info'] }).info = (name) =>
      name === streams.logs && failures-- > 0 ? Promise.reject(new Error('still away')) : info(name);
    (bench.bus as { connected: boolean }).connected = false;
    await vi.waitUntil(() => (runner as unknown as { wasAway: boolean }).wasAway, { timeout: 30_000 });
    await bench.send('order 4 shipped');
    (bench.bus as { connected: boolean }).connected = true;
    await bench.upTo(4);
    await runner.drain();
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });

  it('is asked anew where it gives nothing any more, although it has more', async () => {
    const { consume } = bench.bus.streams;
    let asked = 0;
    (bench.bus.streams as { consume: Streams['consume'] }).consume = async (name, options) => {
      const subscription = await consume(name, options);
      if (name !== streams.logs || asked++ > 0) return subscription;
      const stopped = Promise.withResolvers<void>();
      return {
        stop: async () => {
          stopped.resolve();
          await subscription.stop();
        },
        async *[Symbol.asyncIterator]() {
          for await (const message of subscription) {
            if (message.sequence > 3) return await stopped.promise;
            yield message;
          }
        },
      };
    };
    for (let i = 1; i <= 3; i++) await bench.send(`order ${i} shipped`);
    const runner = await bench.start();
    await bench.upTo(3);
    bench.nowMs += 20_000;
    await sleepReal(200);
    expect(asked).toBe(1);
    await bench.send('order 4 shipped');
    bench.nowMs += 20_000;
    await bench.upTo(4);
    expect(asked).toBe(2);
    expect(bench.said.join()).toContain('LOGS has messages up to 4, and nothing comes after 3. It is asked anew.');
    await runner.drain();
    expect(await bench.checkpointed()).toBe(await bench.folded());
  });

  it('is asked anew after a break too short to be seen', async () => {
    for (let i = 1; i <= 3; i++) await bench.send(`order ${i} shipped`);
    const runner = await bench.start();
    await bench.upTo(3);
    const consume = vi.spyOn(bench.bus.streams, 'consume');
    (bench.bus as { connections: number }).connections++;
    await expect.poll(() => consume.mock.calls.length).toBe(1);
    await bench.upTo(await bench.send('order 4 shipped'));
    await runner.drain();
  });

  it('was made anew: everything in it is news', async () => {
    for (let i = 1; i <= 6; i++) await bench.send(`old ${i}`);
    await bench.runUpTo(6);
    await bench.changeLogs(0);
    for (let i = 1; i <= 3; i++) await bench.send(`new ${i}`);
    const runner = await bench.start(2, 2);
    await expect.poll(() => runner.counts.sequence).toBe(3);
    await runner.drain();
    expect((await rows()).slice(6)).toEqual(['1:new 1', '2:new 2', '3:new 3']);
  });
});
