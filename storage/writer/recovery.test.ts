/** What a writer makes of the odd faults: streams that changed under it, refused rows, views that were not reached. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import {
  buckets,
  encodeResults,
  keys,
  packSection,
  type ResultsMessage,
  type Section,
  streamSubjects,
  streams,
  subjects,
} from '#protocol/mod.ts';
import { clickHouseError } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { makeSection } from '../testing/sections.ts';
import { openTempEngine, type TempEngine, textOf } from '../testing/temp.ts';
import { readWriterRecord } from './record.ts';
import { startWriter, type Writer } from './run.ts';
import type { WriterOptions } from './session.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 30_000, interval: 10 });

let temp: TempEngine;
beforeAll(async () => {
  temp = await openTempEngine();
});
afterAll(() => temp.end());

const startMs = 1_750_000_000_000;
const silent = { info: () => {}, warn: () => {}, error: () => {} };
let buses = 0;

/** A bus whose RESULTS can be made anew or cut short, as a server that lost its disk's last writes does. */
class LossyBus extends MemoryBus {
  static async open(): Promise<LossyBus> {
    const bus = new LossyBus(() => 1_700_000_000_000 + ++buses);
    await bus.ensureResults();
    return bus;
  }

  async ensureResults(): Promise<void> {
    await this.streams.ensure({
      name: streams.results,
      subjects: [streamSubjects.RESULTS],
      bytesMax: 1e9,
      replicas: 1,
      duplicateWindowMs: 1,
    });
  }

  /** Gives the stream so many times the room that its messages take. */
  resize(times: number): void {
    const { results } = this;
    results.settings.bytesMax = results.bytes * times;
  }

  private get results(): {
    messages: { sequence: number }[];
    lastSequence: number;
    bytes: number;
    settings: { bytesMax: number };
  } {
    return (this as unknown as { byName: Map<string, never> }).byName.get(streams.results) as never;
  }

  async recreate(): Promise<void> {
    (this as unknown as { byName: Map<string, never> }).byName.delete(streams.results);
    await this.ensureResults();
  }

  loseTail(last: number): void {
    const { results } = this;
    results.messages = results.messages.filter((message) => message.sequence <= last);
    results.lastSequence = last;
  }
}

const start = (bus: MemoryBus, more: Partial<WriterOptions> = {}): Promise<Writer> =>
  startWriter({
    bus,
    clickHouse: temp.engine,
    time: systemTime,
    log: silent,
    lingerMs: 10,
    lingerMaxMs: 10,
    idleCommitMs: 20,
    watchMs: 20,
    gapMs: 40,
    retryMs: { first: 2, max: 5 },
    ...more,
  });

const section = (partition: number, sequence: number, rows = 10, extra: Partial<Section> = {}): Section =>
  makeSection({ sequence, rows, startMs: startMs + partition * 1_000_000 + sequence }, extra);

async function publish(bus: MemoryBus, partition: number, from: number, sections: Section[]): Promise<void> {
  const to = sections.at(-1)?.sequence ?? from;
  const message: ResultsMessage = { partition, generation: 1, from, to, toMs: 1, anomaliesTo: 0, sections, part: null };
  await bus.streams.publish(subjects.results(partition), encodeResults(message));
}

const publishAll = async (bus: MemoryBus, partition: number, from: number, to: number, rows = 10): Promise<void> => {
  for (let sequence = from + 1; sequence <= to; sequence++)
    await publish(bus, partition, sequence - 1, [section(partition, sequence, rows)]);
};

async function ask(sql: string): Promise<string> {
  return textOf(await temp.engine.query(sql, { format: 'TSV' })).trim();
}

const rowsOf = (partition: number): Promise<string> =>
  ask(`SELECT count(), uniqExact(Sequence, Body) FROM logweir.otel_logs WHERE Partition = ${partition}`);
const ledgerOf = (partition: number): Promise<string> =>
  ask(`SELECT sum(Rows), sum(DeadLetters) FROM logweir.ledger FINAL WHERE Partition = ${partition}`);
const rollupsAgree = (): Promise<string> =>
  ask(`SELECT (SELECT sum(Logs) FROM logweir.logs_1m) = (SELECT count() FROM logweir.otel_logs),
              (SELECT sum(Logs) FROM logweir.logs_1h) = (SELECT count() FROM logweir.otel_logs)`);

/** An engine that goes through so many inserts of otel_logs and the small tables, and then answers no more. */
function dying(inserts: number): ClickHouse {
  let left = inserts;
  return Object.create(temp.engine, {
    insertNative: {
      value: async (...args: Parameters<ClickHouse['insertNative']>) => {
        if (left-- <= 0) return new Promise<void>(() => {});
        await temp.engine.insertNative(...args);
        return undefined;
      },
    },
  }) as ClickHouse;
}

/** Refuses inserts as ClickHouse would, by what is in them. */
function refusing(refuse: (table: string, block: Buffer) => string | null): ClickHouse {
  return Object.create(temp.engine, {
    insertNative: {
      value: async (...args: Parameters<ClickHouse['insertNative']>) => {
        const text = refuse(args[0], Buffer.concat(args[2]));
        if (text !== null) throw clickHouseError(text);
        await temp.engine.insertNative(...args);
      },
    },
  }) as ClickHouse;
}

const poison = (partition: number, sequence: number): Section => {
  const marked = section(partition, sequence);
  const batch = marked.batch as NonNullable<Section['batch']>;
  return { ...marked, batch: { ...batch, lane: `poison-${partition}` } };
};
const isPoisoned = (block: Buffer): boolean => block.includes('poison-');

describe('a block in doubt that RESULTS no longer has', () => {
  it.each([
    ['made anew', 101, (bus: LossyBus) => bus.recreate()],
    ['cut short', 102, (bus: LossyBus) => bus.loseTail(1)],
  ] as const)(
    'is read back where the stream was %s: what is stored is not inserted again',
    async (_, partition, lose) => {
      const bus = await LossyBus.open();
      await publish(bus, partition, 0, [section(partition, 1)]);
      const first = await start(bus, { owner: 'first' });
      await soon(async () => (await readWriterRecord(bus))?.position).toBe(1);
      await first.drain();
      // The next block reaches otel_logs, its answer never comes, and the ledger has nothing of it.
      const killed = await start(bus, { clickHouse: dying(1), owner: 'killed' });
      await publish(bus, partition, 1, [section(partition, 2), section(partition, 3)]);
      await soon(() => rowsOf(partition)).toBe('30\t30');
      await killed.stop();
      await lose(bus);
      // The worker publishes it again, cut otherwise and with more behind it.
      const next = await start(bus, { owner: 'next' });
      await soon(async () => (await readWriterRecord(bus))?.readBack).toBe(true);
      await publishAll(bus, partition, 1, 6);
      await soon(async () => (await readWriterRecord(bus))?.marks[partition]?.sequence).toBe(6);
      expect(await rowsOf(partition)).toBe('60\t60');
      await soon(() => ledgerOf(partition)).toBe('60\t0');
      await soon(rollupsAgree).toBe('1\t1');
      expect((await readWriterRecord(bus))?.readBack).toBe(false);
      await next.drain();
    },
  );

  it('counts for stored where the ledger has it', async () => {
    const bus = await LossyBus.open();
    await publish(bus, 103, 0, [section(103, 1), section(103, 2)]);
    const killed = await start(bus, { clickHouse: dying(2), owner: 'killed' });
    await soon(() => ledgerOf(103)).toBe('20\t0');
    await killed.stop();
    await bus.recreate();
    const next = await start(bus, { owner: 'next' });
    expect((await readWriterRecord(bus))?.marks[103]).toMatchObject({ sequence: 2 });
    await publish(bus, 103, 0, [section(103, 1)]);
    await publishAll(bus, 103, 1, 3);
    await soon(() => rowsOf(103)).toBe('30\t30');
    await soon(() => ledgerOf(103)).toBe('30\t0');
    await next.drain();
  });

  it('completes rollups that the engine did not reach', async () => {
    const bus = await LossyBus.open();
    await publish(bus, 104, 0, [section(104, 1)]);
    // Dies between the table and its view.
    await temp.engine.command('DETACH TABLE logweir.logs_1m_from_logs');
    const killed = await start(bus, { clickHouse: dying(1), owner: 'killed' });
    await soon(() => rowsOf(104)).toBe('10\t10');
    await killed.stop();
    await temp.engine.command('ATTACH TABLE logweir.logs_1m_from_logs');
    expect(await rollupsAgree()).toBe('0\t0');
    await bus.recreate();
    const next = await start(bus, { owner: 'next' });
    await soon(rollupsAgree).toBe('1\t1');
    await publishAll(bus, 104, 0, 2);
    await soon(() => rowsOf(104)).toBe('20\t20');
    await soon(rollupsAgree).toBe('1\t1');
    await next.drain();
  });

  it('comes whole through a lost record: the ledger has the marks', async () => {
    const bus = await LossyBus.open();
    await publishAll(bus, 105, 0, 4);
    const first = await start(bus);
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(4);
    await first.drain();
    await bus.streams.purge(streams.results, 3);
    await (await bus.keyValue(buckets.marks)).delete(keys.writer);
    const next = await start(bus);
    expect((await readWriterRecord(bus))?.marks[105]).toMatchObject({ sequence: 4 });
    await publishAll(bus, 105, 4, 5);
    await soon(() => rowsOf(105)).toBe('50\t50');
    await soon(() => ledgerOf(105)).toBe('50\t0');
    await next.drain();
  });
});

describe('a view that the engine did not reach before it was killed', () => {
  it('is filled when the block is repeated with its token', async () => {
    const bus = await LossyBus.open();
    await publishAll(bus, 111, 0, 1, 500);
    await temp.engine.command('DETACH TABLE logweir.logs_1m_from_logs');
    const killed = await start(bus, { clickHouse: dying(1), owner: 'killed' });
    await soon(() => rowsOf(111)).toBe('500\t500');
    await killed.stop();
    await temp.engine.command('ATTACH TABLE logweir.logs_1m_from_logs');
    const next = await start(bus, { owner: 'next' });
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(1);
    expect(await rowsOf(111)).toBe('500\t500');
    await soon(rollupsAgree).toBe('1\t1');
    await next.drain();
  });

  it('and every table and view remembers tokens', async () => {
    const windows = await ask(
      `SELECT countIf(NOT match(create_table_query, 'non_replicated_deduplication_window = 10000')) FROM system.tables
       WHERE database = 'logweir' AND engine LIKE '%MergeTree' AND name != 'schema_version'`,
    );
    expect(windows).toBe('0');
  });
});

describe('RESULTS under a running writer', () => {
  it('goes on by itself where it is made anew', async () => {
    const bus = await LossyBus.open();
    const writer = await start(bus);
    await publishAll(bus, 121, 0, 3);
    await soon(() => rowsOf(121)).toBe('30\t30');
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(3);
    await bus.recreate();
    await publishAll(bus, 121, 2, 5);
    await soon(() => rowsOf(121)).toBe('50\t50');
    expect((await readWriterRecord(bus))?.owner).not.toBe('');
    await writer.drain();
  });

  it('is not taken for cut short by an answer that is older than what was read meanwhile', async () => {
    const bus = await LossyBus.open();
    const warned: string[] = [];
    const log = { ...silent, warn: (text: string) => void warned.push(text) };
    const writer = await start(bus, { log, watchMs: 5 });
    const { info } = bus.streams;
    let asked = 0;
    let sequence = 0;
    bus.streams.info = async (stream) => {
      const answer = await info(stream);
      if (stream !== streams.results) return answer;
      asked++;
      await publish(bus, 123, sequence, [section(123, ++sequence, 1)]);
      await vi.waitUntil(() => writer.stats().read === sequence, { timeout: 60_000, interval: 1 });
      return answer;
    };
    await soon(() => asked).toBeGreaterThan(2);
    bus.streams.info = info;
    await soon(() => rowsOf(123)).toBe(`${sequence}\t${sequence}`);
    expect(warned).toEqual([]);
    await writer.drain();
  });

  it('is read again from its beginning where it lost its tail and grows again before it is read', async () => {
    const bus = await LossyBus.open();
    const warned: string[] = [];
    const log = { ...silent, warn: (text: string) => void warned.push(text) };
    const writer = await start(bus, { log, watchMs: 5, gapMs: 60_000 });
    await publishAll(bus, 125, 0, 3);
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(3);
    bus.loseTail(1);
    await soon(() => warned.join()).toContain('RESULTS ends at 1, but was read up to 3.');
    // Where 125 was read, the first of another partition stands by the time that the writer is back.
    await publishAll(bus, 126, 0, 3);
    await soon(() => rowsOf(126)).toBe('30\t30');
    expect(await rowsOf(125)).toBe('30\t30');
    await writer.drain();
  });

  it('is read again from its beginning where it lost its tail and grew past us', async () => {
    const bus = await LossyBus.open();
    const writer = await start(bus);
    await publishAll(bus, 122, 0, 3);
    await publishAll(bus, 123, 0, 3);
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(6);
    await writer.drain();
    // 123 is lost and comes again, with more, at sequences that were read as something else.
    bus.loseTail(3);
    await publishAll(bus, 122, 3, 4);
    await publishAll(bus, 124, 0, 1);
    await publishAll(bus, 123, 2, 3);
    await publishAll(bus, 122, 4, 5);
    const next = await start(bus);
    await soon(() => rowsOf(122)).toBe('50\t50');
    await soon(() => rowsOf(124)).toBe('10\t10');
    expect(next.stats().gaps).toBe(1);
    await soon(() => ledgerOf(122)).toBe('50\t0');
    await next.drain();
  });
});

/** Subscriptions to RESULTS of which the first gives only some messages. */
function givingFirst(bus: MemoryBus, gives: (sequence: number) => boolean): void {
  const { consume } = bus.streams;
  let subscriptions = 0;
  bus.streams.consume = async (stream, options) => {
    const whole = await consume(stream, options);
    if (stream !== streams.results || subscriptions++ > 0) return whole;
    return {
      stop: () => whole.stop(),
      async *[Symbol.asyncIterator]() {
        for await (const message of whole) if (gives(message.sequence)) yield message;
      },
    };
  };
}

describe('a subscription to RESULTS that is not what it should be', () => {
  it('is made anew where it leaves a message out, before that counts for read', async () => {
    const bus = await LossyBus.open();
    givingFirst(bus, (sequence) => sequence !== 2);
    const warned: string[] = [];
    const log = { ...silent, warn: (text: string) => void warned.push(text) };
    const writer = await start(bus, { log, gapMs: 60_000 });
    await publishAll(bus, 127, 0, 4);
    await soon(() => rowsOf(127)).toBe('40\t40');
    expect(warned.join()).toContain('The subscription left out RESULTS 2–2.');
    expect(writer.stats().gaps).toBe(0);
    await writer.drain();
  });

  it('is made anew where it falls silent although there is more', async () => {
    const bus = await LossyBus.open();
    givingFirst(bus, (sequence) => sequence < 2);
    const warned: string[] = [];
    const log = { ...silent, warn: (text: string) => void warned.push(text) };
    const writer = await start(bus, { log });
    await publishAll(bus, 128, 0, 4);
    await soon(() => rowsOf(128)).toBe('40\t40');
    expect(warned.join()).toContain('RESULTS reaches 4, and nothing comes after 1.');
    await writer.drain();
  });
});

describe('parts of a section in a full RESULTS', () => {
  it('are let go, so that there is room for the last of them, and taken when they all come again', async () => {
    const bus = await LossyBus.open();
    const writer = await start(bus, { gapMs: 60_000 });
    const whole = packSection(section(129, 1));
    const half = whole.length >> 1;
    const part = (index: number, bytes: Uint8Array): Uint8Array =>
      encodeResults({
        partition: 129,
        generation: 1,
        from: 0,
        to: 1,
        toMs: 1,
        anomaliesTo: 0,
        sections: [],
        part: { index, last: index === 1, bytes },
      });
    const put = (data: Uint8Array): Promise<{ sequence: number }> => bus.streams.publish(subjects.results(129), data);
    await put(part(0, whole.subarray(0, half)));
    await publishAll(bus, 130, 0, 3);
    await soon(() => rowsOf(130)).toBe('30\t30');
    expect((await readWriterRecord(bus))?.position).toBe(0);
    bus.resize(1.2);
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(4);
    await bus.streams.purge(streams.results, 5);
    await put(part(0, whole.subarray(0, half)));
    await put(part(1, whole.subarray(half)));
    await soon(() => rowsOf(129)).toBe('10\t10');
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(6);
    await writer.drain();
  });
});

describe('a block that ClickHouse refuses', () => {
  it('goes in without the section that it will never take, which becomes a dead letter with the reason', async () => {
    const bus = await LossyBus.open();
    const refused = 'Code: 117. DB::Exception: Incorrect data: said the test (INCORRECT_DATA)';
    const clickHouse = refusing((table, block) => (table.endsWith('otel_logs') && isPoisoned(block) ? refused : null));
    const sections = Array.from({ length: 20 }, (_, i) => (i === 13 ? poison(131, 14) : section(131, i + 1)));
    await publish(bus, 131, 0, sections);
    await publish(bus, 132, 0, [section(132, 1)]);
    const writer = await start(bus, { clickHouse });
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(2);
    expect(await rowsOf(131)).toBe('190\t190');
    expect(await rowsOf(132)).toBe('10\t10');
    await soon(() => ledgerOf(131)).toBe('190\t1');
    expect(await ask('SELECT Sequence, Reason FROM logweir.dead_letters WHERE Partition = 131')).toMatch(
      /^14\tlogweir\.otel_logs: Code: 117\..*said the test/,
    );
    expect(writer.stats()).toMatchObject({ setAside: 1, failingMs: 0 });
    await soon(rollupsAgree).toBe('1\t1');
    await writer.drain();
  });

  it('keeps nothing twice where a view refused after the table had taken it', async () => {
    const bus = await LossyBus.open();
    await temp.engine.command(
      `CREATE MATERIALIZED VIEW logweir.zz_mine ENGINE = MergeTree ORDER BY x AS
       SELECT throwIf(CAST(Lane, 'String') = 'poison-133', 'not mine') AS x FROM logweir.otel_logs`,
    );
    try {
      await publish(bus, 133, 0, [section(133, 1), section(133, 2), poison(133, 3), section(133, 4)]);
      const writer = await start(bus);
      await soon(async () => (await readWriterRecord(bus))?.position).toBe(1);
      const [rows = 0, distinct = 0] = (await rowsOf(133)).split('\t').map(Number);
      expect(rows).toBe(distinct);
      expect([30, 40]).toContain(rows);
      await soon(() => ledgerOf(133)).toBe(`${rows}\t${rows === 30 ? 1 : 0}`);
      await soon(rollupsAgree).toBe('1\t1');
      await writer.drain();
    } finally {
      await temp.engine.command('DROP TABLE logweir.zz_mine');
    }
  });

  it('waits, and says so, where the fault is not in the rows', async () => {
    const bus = await LossyBus.open();
    let broken = true;
    const errors: string[] = [];
    const clickHouse = refusing(() => (broken ? 'Code: 60. DB::Exception: no such table (UNKNOWN_TABLE)' : null));
    const writer = await start(bus, { clickHouse, log: { ...silent, error: (text) => errors.push(text) } });
    await publish(bus, 134, 0, [section(134, 1)]);
    await soon(() => writer.stats().failingMs).toBeGreaterThan(100);
    expect(errors).toEqual([expect.stringMatching(/rows wait in the stream\. It needs you.*UNKNOWN_TABLE/)]);
    expect(writer.stats().setAside).toBe(0);
    broken = false;
    await soon(() => rowsOf(134)).toBe('10\t10');
    await writer.drain();
  });

  it('sets nothing aside for a number nobody knows while nothing else goes in', async () => {
    const bus = await LossyBus.open();
    let broken = true;
    const clickHouse = refusing(() => (broken ? 'Code: 9999. DB::Exception: strange' : null));
    await publish(bus, 135, 0, [section(135, 1), section(135, 2)]);
    const writer = await start(bus, { clickHouse });
    await soon(() => writer.stats().failingMs).toBeGreaterThan(300);
    expect(writer.stats().setAside).toBe(0);
    broken = false;
    await soon(() => rowsOf(135)).toBe('20\t20');
    await writer.drain();
  });

  it('is cut smaller where it touches too many partitions for this server', async () => {
    const bus = await LossyBus.open();
    const limit =
      'Code: 252. DB::Exception: Too many partitions for single INSERT block (more than 10). (TOO_MANY_PARTS)';
    const days = Array.from({ length: 40 }, (_, day) =>
      makeSection({ sequence: day + 1, rows: 2, startMs: startMs - day * 86_400_000 }),
    );
    // The blocks' times lie one behind the other in the first column.
    const clickHouse = refusing((table, block) => {
      if (!table.endsWith('otel_logs')) return null;
      const at = block.indexOf('DateTime64(9)') + 'DateTime64(9)'.length;
      const rows = block[1] as number;
      const seen = new Set<bigint>();
      for (let row = 0; row < rows; row++) seen.add(block.readBigInt64LE(at + row * 8) / 86_400_000_000_000n);
      return seen.size > 10 ? limit : null;
    });
    await publish(bus, 136, 0, days);
    const writer = await start(bus, { clickHouse });
    await soon(() => rowsOf(136)).toBe('80\t80');
    await soon(() => ledgerOf(136)).toBe('80\t0');
    expect(writer.stats().setAside).toBe(0);
    await writer.drain();
  });

  it('that was going in piece by piece when its writer was killed is finished by the next', async () => {
    const bus = await LossyBus.open();
    const refused = 'Code: 117. DB::Exception: Incorrect data (INCORRECT_DATA)';
    await publish(bus, 137, 0, [section(137, 1), section(137, 2), poison(137, 3), section(137, 4)]);
    let pieces = 0;
    const clickHouse = refusing((table, block) => (table.endsWith('otel_logs') && isPoisoned(block) ? refused : null));
    const killedThen: ClickHouse = Object.create(clickHouse, {
      insertNative: {
        value: async (...args: Parameters<ClickHouse['insertNative']>) => {
          await clickHouse.insertNative(...args);
          if (++pieces === 1) return new Promise<void>(() => {});
          return undefined;
        },
      },
    }) as ClickHouse;
    const killed = await start(bus, { clickHouse: killedThen, owner: 'killed' });
    await soon(() => pieces).toBe(1);
    expect((await readWriterRecord(bus))?.inDoubt?.apart).toBe(true);
    await killed.stop();
    const next = await start(bus, { clickHouse, owner: 'next' });
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(1);
    expect(await rowsOf(137)).toBe('30\t30');
    await soon(() => ledgerOf(137)).toBe('30\t1');
    await next.drain();
  });
});

describe('a block that spans twenty years of days', () => {
  it('is stored whole though its writer was killed in the middle: it is read back, as tokens may be forgotten', async () => {
    const bus = await LossyBus.open();
    const days = 120;
    const stepMs = 61 * 86_400_000;
    await publish(bus, 151, 0, [
      makeSection({ sequence: 1, rows: days, startMs: Date.UTC(2005, 0, 1), stepMs }),
      makeSection({ sequence: 2, rows: 10, startMs: Date.UTC(2005, 0, 1), stepMs: stepMs * 5 }),
    ]);
    const killed = await start(bus, { clickHouse: dying(2), owner: 'killed', limits: { daysByTokenMax: 100 } });
    await soon(() => rowsOf(151)).toMatch(/^1\d\d\t/);
    expect((await readWriterRecord(bus))?.inDoubt).toMatchObject({ apart: true });
    await killed.stop();
    const next = await start(bus, { owner: 'next' });
    // Two and a half thousand parts: seconds, and a minute where others use the machine.
    await expect.poll(async () => (await readWriterRecord(bus))?.position, { timeout: 110_000 }).toBe(1);
    expect(await rowsOf(151)).toBe(`${days + 10}\t${days + 10}`);
    expect(await ledgerOf(151)).toBe(`${days + 10}\t0`);
    await soon(rollupsAgree).toBe('1\t1');
    await next.drain();
  });
});

describe('two writers', () => {
  it('do no harm: one that slept through its replacement looks at the record before it inserts', async () => {
    const bus = await LossyBus.open();
    let aheadMs = 0;
    let inserts = 0;
    let wake = (): void => {};
    const slept = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const sleeper: ClickHouse = Object.create(temp.engine, {
      insertNative: {
        value: async (...args: Parameters<ClickHouse['insertNative']>) => {
          if (inserts++ === 0) await slept;
          await temp.engine.insertNative(...args);
        },
      },
    }) as ClickHouse;
    const time = { ...systemTime, now: () => Date.now() + aheadMs };
    const old = await start(bus, { clickHouse: sleeper, owner: 'old', time });
    await publish(bus, 141, 0, [section(141, 1)]);
    await soon(() => inserts).toBe(1);
    const young = await start(bus, { owner: 'young' });
    await publish(bus, 141, 1, [section(141, 2)]);
    await soon(() => rowsOf(141)).toBe('20\t20');
    aheadMs = 60_000;
    wake();
    await expect(old.done).rejects.toMatchObject({ message: 'Another storage writer took over.' });
    expect(inserts).toBe(1);
    expect(await rowsOf(141)).toBe('20\t20');
    await soon(rollupsAgree).toBe('1\t1');
    await young.drain();
  });

  it('one stands by while the other lives, and takes over when it let go or went silent', async () => {
    const bus = await LossyBus.open();
    const first = await start(bus, { owner: 'first', standbyMs: 5_000 });
    await publish(bus, 142, 0, [section(142, 1)]);
    let second: Writer | null = null;
    const waiting = start(bus, { owner: 'second', standbyMs: 5_000 }).then((writer) => {
      second = writer;
    });
    await publishAll(bus, 142, 1, 3);
    await soon(() => rowsOf(142)).toBe('30\t30');
    expect(second).toBeNull();
    await first.drain();
    await waiting;
    await publishAll(bus, 142, 3, 4);
    await soon(() => rowsOf(142)).toBe('40\t40');
    await (second as unknown as Writer).drain();
  });
});
