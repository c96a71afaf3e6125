/** The recorded LOGS stream, whole and in order, for `verify` and `reconcile`. */
import type { Bus, StreamMessage } from '#bus/mod.ts';
import { LogweirError, partitionOfSubject, streams } from '#protocol/mod.ts';
import { readWriterRecord } from '#storage/mod.ts';

/** How far storage has come, by partition: LOGS sequence in this generation. */
export type StoredMarks = ReadonlyMap<number, number>;

export async function storedMarks(bus: Bus, generation: number): Promise<StoredMarks> {
  const record = await readWriterRecord(bus);
  const marks = new Map<number, number>();
  for (const [partition, mark] of Object.entries(record?.marks ?? {}))
    if (mark.generation === generation) marks.set(Number(partition), mark.sequence);
  return marks;
}

/** A stream that gives nothing for this long, though it has more, is away, in ms. */
const patienceMs = 30_000;

/**
 * @throws LogweirError CLUSTER_MISMATCH where the stream's beginning is gone, NATS_UNAVAILABLE where the server went
 * away: the connection would wait for it for ever, and a command must end.
 */
export async function* recordedLogs(
  bus: Bus,
  wanted: { fromStart: boolean; patienceMs?: number; headersOnly?: boolean },
): AsyncGenerator<StreamMessage> {
  const info = await bus.streams.info(streams.logs);
  if (info.messages === 0) return;
  if (wanted.fromStart && info.firstSequence > 1)
    throw new LogweirError(
      'CLUSTER_MISMATCH',
      `The LOGS stream begins at ${info.firstSequence}: what lies before is stored and was removed.`,
      'Keep the stream whole with cluster.retainLogs: true from the start of a cluster that you want to verify.',
    );
  const { headersOnly = false } = wanted;
  const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1, headersOnly });
  const idleMs = wanted.patienceMs ?? patienceMs;
  let ended: Promise<void> | null = null;
  const end = (): Promise<void> => (ended ??= subscription.stop());
  const watchdog = setTimeout(() => void end(), idleMs);
  try {
    for await (const message of subscription) {
      yield message;
      if (message.sequence >= info.lastSequence) return;
      watchdog.refresh();
    }
    throw new LogweirError(
      'NATS_UNAVAILABLE',
      `The LOGS stream gave nothing for ${idleMs / 1_000} s before its end was reached.`,
      'Check that nats-server runs ("logweir status"), then run the command again.',
    );
  } finally {
    clearTimeout(watchdog);
    await end();
  }
}

/** Messages that were removed from LOGS so far. */
async function removed(bus: Bus): Promise<number> {
  const { lastSequence, messages } = await bus.streams.info(streams.logs);
  return lastSequence - messages;
}

/**
 * Reads what LOGS holds, and finds the first sequence of each partition of which all was read. Partitions are purged
 * each from its beginning, also while they are read: what was purged meanwhile may have been read in part.
 */
export async function readHeld(bus: Bus, onMessage: (message: StreamMessage) => void): Promise<Map<number, number>> {
  const before = await removed(bus);
  const first = new Map<number, number>();
  const note = ({ subject, sequence }: StreamMessage): void => {
    const partition = partitionOfSubject(subject);
    if (!first.has(partition)) first.set(partition, sequence);
  };
  for await (const message of recordedLogs(bus, { fromStart: false })) {
    note(message);
    onMessage(message);
  }
  if ((await removed(bus)) === before) return first;
  first.clear();
  for await (const message of recordedLogs(bus, { fromStart: false, headersOnly: true })) note(message);
  return first;
}
