/**
 * A LOGS stream that lost its tail, or all of it: what a disk that was restored from a backup, or thrown away, does. Records
 * that were only in the lost part are gone by definition; which those are is read from the stream itself before it goes, by
 * a nats-server of our own on a copy of its files. Everything else must hold.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePort } from '#bus/host-ports.ts';
import {
  decodeLogsMessage,
  decodeResults,
  LogweirError,
  partitionOfSubject,
  type RecordBatch,
  StringCursor,
  streams,
  uint16At,
} from '#protocol/mod.ts';
import type { ScenarioContext } from '../scenario.ts';
import { disaster } from './disasters.ts';
import { findProgram } from './fleet.ts';
import type { Check, FaultsReport } from './report.ts';
import { requestAttribute } from './requests.ts';
import type { Rig } from './rig.ts';

const moreMs = 8_000;

/** The stream is thrown away while its server is down, with what workers had not read yet. */
export function recreatedStream(context: ScenarioContext): Promise<FaultsReport> {
  return disaster('recreated-stream', context, async (rig) => {
    const { fleet } = rig;
    await killWithUnread(rig);
    await rememberLost(rig, 0);
    rmSync(fleet.streamDir(streams.logs), { recursive: true });
    fleet.start('nats-server');
    return recover(rig, 'LOGS was thrown away');
  });
}

/** An older copy of the stream comes back: its tail is lost. */
export function truncatedStream(context: ScenarioContext): Promise<FaultsReport> {
  return disaster('truncated-stream', context, async (rig) => {
    const { fleet } = rig;
    const backup = mkdtempSync(join(tmpdir(), 'logweir-backup-'));
    try {
      await rig.stream.pause();
      const kept = (await (await jetstreamManager(rig.observer.connection)).streams.info(streams.logs)).state.last_seq;
      await fleet.kill('nats-server');
      cpSync(fleet.streamDir(streams.logs), backup, { recursive: true });
      fleet.start('nats-server');
      await fleet.whenReady('nats-server');
      rig.stream.resume();
      await rig.pause(moreMs);
      await killWithUnread(rig);
      await rememberLost(rig, kept);
      rmSync(fleet.streamDir(streams.logs), { recursive: true });
      cpSync(backup, fleet.streamDir(streams.logs), { recursive: true });
      fleet.start('nats-server');
      return await recover(rig, `LOGS goes back to ${kept}`);
    } finally {
      rmSync(backup, { recursive: true, force: true });
    }
  });
}

const unreadMs = 2_000;

/** Ends nats-server while LOGS holds records that no worker has read, and no request is under way. */
async function killWithUnread(rig: Rig): Promise<void> {
  const { fleet, stream } = rig;
  for (const name of fleet.names('worker')) fleet.freeze(name);
  await rig.pause(unreadMs);
  await stream.pause();
  await fleet.kill('nats-server');
  for (const name of fleet.names('worker')) fleet.thaw(name);
}

const recoverWithinMs = 60_000;

/** The load goes on, with the roles as they are: the cluster has to find out by itself. */
async function recover(rig: Rig, what: string): Promise<Check[]> {
  const { fleet, context, stream } = rig;
  const startedMs = Date.now();
  await fleet.whenReady('nats-server');
  context.note(`${what}; ${rig.lostRecords} acknowledged records were only there. The load goes on.`);
  const before = stream.acknowledgedRecords;
  const stored = await rig.storedRows().catch(() => 0);
  stream.resume();
  let acknowledgedMs = 0;
  let storedMs = 0;
  while ((acknowledgedMs === 0 || storedMs === 0) && Date.now() - startedMs < recoverWithinMs) {
    if (acknowledgedMs === 0 && stream.acknowledgedRecords > before) acknowledgedMs = Date.now();
    if (storedMs === 0 && (await rig.storedRows().catch(() => 0)) > stored + rig.options.ratePerSecond)
      storedMs = Date.now();
    await rig.pause(250);
  }
  const seconds = (ms: number): string => (ms === 0 ? 'never' : `after ${((ms - startedMs) / 1_000).toFixed(1)} s`);
  return [
    {
      name: 'goes on',
      ok: acknowledgedMs > 0 && storedMs > 0,
      said: `${what}: acknowledged again ${seconds(acknowledgedMs)}, stored again ${seconds(storedMs)}`,
    },
  ];
}

/** Which records are in the part of LOGS behind `kept` and in no RESULTS: those may be gone. */
async function rememberLost(rig: Rig, kept: number): Promise<void> {
  rig.streamLost = true;
  const copy = mkdtempSync(join(tmpdir(), 'logweir-postmortem-'));
  const port = await freePort();
  const store = join(copy, 'jetstream');
  cpSync(join(rig.fleet.natsDir, 'jetstream'), store, { recursive: true });
  const server = spawn(findProgram('nats-server'), ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', copy], {
    stdio: 'ignore',
  });
  let connection: NatsConnection | null = null;
  try {
    connection = await connectPatiently(`nats://127.0.0.1:${port}`);
    const covered = await coveredByResults(connection);
    await eachMessage(connection, streams.logs, kept + 1, (subject, sequence, data) => {
      if (sequence <= (covered.get(partitionOfSubject(subject)) ?? 0)) return;
      for (const name of namesOf(data)) {
        if (typeof name === 'number') rig.lost.set(name, (rig.lost.get(name) ?? 0) + 1);
        else rig.lostProbes.add(name);
      }
    });
  } finally {
    await connection?.close();
    server.kill('SIGKILL');
    if (existsSync(copy)) rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function connectPatiently(url: string): Promise<NatsConnection> {
  for (let attempt = 0; ; attempt++) {
    try {
      const connection = await connect({ servers: url });
      await (await jetstreamManager(connection)).streams.info(streams.logs);
      return connection;
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(200);
    }
  }
}

/** By partition: LOGS sequence up to which RESULTS has everything, or had it before storage took it. */
async function coveredByResults(connection: NatsConnection): Promise<Map<number, number>> {
  const covered = new Map<number, number>();
  const take = (partition: number, sequence: number): void => {
    covered.set(partition, Math.max(covered.get(partition) ?? 0, sequence));
  };
  for (const [partition, sequence] of await writerMarks(connection)) take(partition, sequence);
  await eachMessage(connection, streams.results, 1, (_subject, _sequence, data) => {
    const message = decodeResults(data);
    if (message.part === null || message.part.last) take(message.partition, message.to);
  });
  return covered;
}

async function writerMarks(connection: NatsConnection): Promise<[number, number][]> {
  const manager = await jetstreamManager(connection);
  const stored = await manager.streams.getMessage('KV_logweir_marks', { last_by_subj: '$KV.logweir_marks.writer' });
  if (stored === null) return [];
  const { marks } = JSON.parse(Buffer.from(stored.data).toString()) as { marks: Record<string, { sequence: number }> };
  return Object.entries(marks).map(([partition, { sequence }]) => [Number(partition), sequence]);
}

async function eachMessage(
  connection: NatsConnection,
  stream: string,
  from: number,
  take: (subject: string, sequence: number, data: Uint8Array) => void,
): Promise<void> {
  const { state } = await (await jetstreamManager(connection)).streams.info(stream);
  if (state.messages === 0 || state.last_seq < from) return;
  const consumer = await jetstream(connection).consumers.get(stream, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
  });
  const messages = await consumer.consume({ max_messages: 200 });
  for await (const message of messages) {
    take(message.subject, message.seq, message.data);
    if (message.seq >= state.last_seq) break;
  }
}

/** The request of every record of the load in a batch, and the service of every other one: an event's is its own. */
function namesOf(data: Uint8Array): (number | string)[] {
  let batch: RecordBatch;
  try {
    const message = decodeLogsMessage(data);
    if (message.kind !== 'batch') return [];
    batch = message.batch;
  } catch (error) {
    if (error instanceof LogweirError) return [];
    throw error;
  }
  const { attributes, service } = batch;
  const names: (number | string)[] = [];
  const values = attributes === null ? null : new StringCursor(attributes.values);
  let pair = 0;
  for (let row = 0; row < batch.rows; row++) {
    let name: number | string = service.values[uint16At(service.index, row)] ?? '';
    const pairs = attributes === null ? 0 : uint16At(attributes.counts, row);
    for (let n = 0; n < pairs; n++, pair++) {
      values?.advance();
      const key = attributes?.keys.values[uint16At(attributes.keys.index, pair)];
      if (key === requestAttribute && values !== null)
        name = Number(Buffer.from(attributes!.values.subarray(values.start, values.end)).toString());
    }
    names.push(name);
  }
  return names;
}
