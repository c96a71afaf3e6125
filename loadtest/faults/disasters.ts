/** What happens to streams and messages rather than to processes; each scenario has a cluster of its own. */
import { Buffer } from 'node:buffer';
import { jetstreamManager } from '@nats-io/jetstream';
import { Random } from '#generator/mod.ts';
import { decodeLogsMessage, partitionOf, partitionsDefault, streams, subjects } from '#protocol/mod.ts';
import type { FaultScenario } from '../arguments.ts';
import { readUse } from '../processes.ts';
import type { ScenarioContext } from '../scenario.ts';
import { ownRequests, query, queryRows } from './clickhouse.ts';
import { reportOf } from './faults.ts';
import type { Check, FaultsReport } from './report.ts';
import { lineAttribute, requestAttribute } from './requests.ts';
import { type Rig, type RigOptions, withRig } from './rig.ts';

const warmMs = 8_000;

/** Runs a scenario on a rig, then stops the load and checks everything that every scenario must keep. */
export async function disaster(
  name: FaultScenario,
  context: ScenarioContext,
  happen: (rig: Rig) => Promise<Check[]>,
  config: Record<string, unknown> = {},
): Promise<FaultsReport> {
  const { args } = context;
  const options: RigOptions = {
    seed: args.seed,
    ratePerSecond: args.rate,
    workers: args.workers,
    connections: Math.min(args.connections, 16),
    linesPerBody: Math.min(500, Math.max(20, Math.round(args.rate / 20))),
    config,
  };
  return withRig(
    context,
    options,
    async (rig) => {
      const startedMs = Date.now();
      await rig.pause(warmMs);
      const own = await happen(rig);
      await rig.pause(warmMs);
      await rig.stopSending();
      context.note('Waiting until everything is stored, then checking it …');
      const checks = [
        await rig.drained(),
        ...(await rig.checkRecords()),
        await rig.checkAlerts(),
        rig.checkAnswers(),
        ...own,
      ];
      checks.push(...(await rig.checkProofs()));
      return reportOf(name, rig, checks, Date.now() - startedMs);
    },
    (report) => report?.ok !== true,
  );
}

const poisonService = 'poison-source';
const poisonsMade = 300;
const sampleWithinMs = 10_000;

/** Bytes that are no message, and real batches with bytes turned: set aside, counted, and nothing else changes. */
export function poison(context: ScenarioContext): Promise<FaultsReport> {
  return disaster('poison', context, async (rig) => {
    const { connection } = rig.observer;
    const random = new Random(rig.options.seed);
    const partition = partitionOf(poisonService, partitionsDefault);
    const subject = subjects.logs(partition);
    const samples: Uint8Array[] = [];
    const subscription = connection.subscribe(subject, {
      callback: (_error, message) => {
        if (isOwn(message.data)) samples.push(message.data.slice());
      },
    });
    const lines = Array.from({ length: 40 }, (_, n) =>
      JSON.stringify({ service: poisonService, level: 'ERROR', message: `took ${n} ms`, n }),
    );
    await rig.delivery.deliver(Buffer.from(`${lines.join('\n')}\n`), `${rig.name}-poison`, 0, () => false);
    const stopAskingMs = Date.now() + sampleWithinMs;
    while (samples.length === 0 && Date.now() < stopAskingMs) await rig.pause(100);
    subscription.unsubscribe();
    rig.stream.resume();
    const put = (data: Uint8Array): Promise<unknown> => connection.request(subject, data, { timeout: 5_000 });
    await put(new Uint8Array(0));
    await put(Buffer.from('not a message of Logweir'));
    await put(new Uint8Array(500_000));
    for (let n = 0; n < poisonsMade; n++) {
      const bytes = Buffer.from(random.pick(samples));
      const turns = 1 + random.below(4);
      for (let turn = 0; turn < turns; turn++) bytes[random.below(bytes.length)] = random.below(256);
      await put(random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes);
    }
    rig.context.note(`Put ${poisonsMade + 3} broken messages on ${subject}, made from ${samples.length} real ones.`);
    await rig.pause(5_000);
    const deadLetters = await query(rig.fleet.urls.clickhouse, 'SELECT count() FROM logweir.dead_letters FINAL');
    return [
      {
        name: 'dead letters',
        ok: Number(deadLetters) >= 3,
        said: `${deadLetters} of ${poisonsMade + 3} broken messages were set aside; the others decode`,
      },
    ];
  });
}

/** Of nobody else: a broken copy that still decodes must not double the load's records. */
function isOwn(data: Uint8Array): boolean {
  const message = decodeLogsMessage(data);
  return message.kind === 'batch' && message.batch.service.values.every((service) => service === poisonService);
}

const yearsBack = 20;
const archiveRequests = 1;
/** Each day is a part of its own in ClickHouse. */
const daysWithinMs = 240_000;
const dayMs = 86_400_000;

/**
 * Requests whose records lie a day apart over twenty years, the newest first: more days than ClickHouse takes in one
 * insert. Late data, so that the gaps between them make no windows.
 */
export function twentyYears(context: ScenarioContext): Promise<FaultsReport> {
  return disaster('twenty-years', context, async (rig) => {
    const days = yearsBack * 365;
    const now = Date.now();
    for (let n = 0; n < archiveRequests; n++) {
      const request = ownRequests + n;
      const lines = Array.from({ length: days }, (_, day) =>
        JSON.stringify({
          timestamp: new Date(now - day * dayMs).toISOString(),
          [requestAttribute]: String(request),
          [lineAttribute]: String(day),
          level: 'INFO',
          service: `archive-${day % 5}`,
          message: `archived order ${day}`,
        }),
      );
      const entry = { request, lines: days, eventMs: now, acknowledgedMs: null as number | null };
      rig.stream.sent.push(entry);
      const done = await rig.delivery.deliver(
        Buffer.from(`${lines.join('\n')}\n`),
        `${rig.name}-${request}`,
        n,
        () => false,
      );
      if (done === null) continue;
      entry.acknowledgedMs = Date.now();
      rig.stream.acknowledgedRecords += days;
    }
    const deadline = Date.now() + daysWithinMs;
    let found = 0;
    while (found < days && Date.now() < deadline) {
      const [[text = '0'] = []] = await queryRows(
        rig.fleet.urls.clickhouse,
        "SELECT uniqExact(toDate(TimestampTime)) FROM logweir.otel_logs WHERE ServiceName LIKE 'archive-%'",
      );
      found = Number(text);
      await rig.pause(1_000);
    }
    return [{ name: 'days', ok: found >= days, said: `${found} days of ${days} have rows` }];
  });
}

const tornKills = 20;
const tornGiveUpMs = 30_000;

/** kill -9 of storage while a block is on its way into the tables and their views. */
export function tornInserts(context: ScenarioContext): Promise<FaultsReport> {
  return disaster('torn-inserts', context, async (rig) => {
    const { fleet, observer, options } = rig;
    const random = new Random(options.seed);
    let inDoubt = (): void => {};
    const subscription = observer.connection.subscribe('$KV.logweir_marks.writer', {
      callback: (_error, message) => {
        if (Buffer.from(message.data).includes('"inDoubt":{')) inDoubt();
      },
    });
    let inside = 0;
    for (let n = 0; n < tornKills; n++) {
      await fleet.whenReady('storage');
      await new Promise<void>((done) => {
        const timer = setTimeout(done, tornGiveUpMs);
        inDoubt = () => {
          clearTimeout(timer);
          inside++;
          inDoubt = () => {};
          setTimeout(done, random.below(150));
        };
      });
      await fleet.kill('storage');
      rig.context.note(`kill storage, ${n + 1} of ${tornKills}`);
      // Rows gather meanwhile, so that the next block is a large one.
      await rig.pause(500 + random.below(2_500));
      fleet.start('storage');
    }
    subscription.unsubscribe();
    await fleet.whenReady('storage');
    return [
      { name: 'torn', ok: inside >= tornKills / 2, said: `${inside} of ${tornKills} kills while a block was in doubt` },
    ];
  });
}

const resultsBytesMax = 16 * 1024 ** 2;
const fullWithinMs = 300_000;
const stayFullMs = 10_000;
const workerRssMibMax = 1_024;

/** Storage stopped until RESULTS takes no more: workers pause, the load goes on, memory stays flat; then it all catches up. */
export function fullResults(context: ScenarioContext): Promise<FaultsReport> {
  const config = { streams: { resultsBytesMax } };
  return disaster(
    'full-results',
    context,
    async (rig) => {
      const { fleet } = rig;
      const manager = await jetstreamManager(rig.observer.connection, { checkAPI: false });
      const bytes = async (): Promise<number> => (await manager.streams.info(streams.results)).state.bytes;
      rig.holdsBack = false;
      await fleet.terminate('storage');
      const deadline = Date.now() + fullWithinMs;
      let most = 0;
      while (most < resultsBytesMax * 0.93 && Date.now() < deadline) {
        most = Math.max(most, await bytes());
        await rig.pause(500);
      }
      rig.context.note(`RESULTS holds ${most} of ${resultsBytesMax} bytes; staying so for ${stayFullMs / 1_000} s.`);
      await rig.pause(stayFullMs);
      const rss = fleet.names('worker').map((name) => readUse(name, fleet.pid(name) ?? 0)?.peakRssMib ?? 0);
      fleet.start('storage');
      await fleet.whenReady('storage');
      rig.holdsBack = true;
      return [
        {
          name: 'full',
          ok: most >= resultsBytesMax * 0.93,
          said: `RESULTS reached ${most} of ${resultsBytesMax} bytes`,
        },
        {
          name: 'memory',
          ok: Math.max(...rss) < workerRssMibMax,
          said: `workers at most ${Math.max(...rss)} MiB while paused`,
        },
      ];
    },
    config,
  );
}
