/** The recorded LOGS stream, whole and in order, for `verify` and `reconcile`. */
import type { Bus, StreamMessage } from '#bus/mod.ts';
import { LogweirError, streams } from '#protocol/mod.ts';
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

/** @throws LogweirError CLUSTER_MISMATCH where the stream's beginning is gone. */
export async function* recordedLogs(bus: Bus, wanted: { fromStart: boolean }): AsyncGenerator<StreamMessage> {
  const info = await bus.streams.info(streams.logs);
  if (info.messages === 0) return;
  if (wanted.fromStart && info.firstSequence > 1)
    throw new LogweirError(
      'CLUSTER_MISMATCH',
      `The LOGS stream begins at ${info.firstSequence}: what lies before is stored and was removed.`,
      'Keep the stream whole with cluster.retainLogs: true from the start of a cluster that you want to verify.',
    );
  const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
  try {
    for await (const message of subscription) {
      yield message;
      if (message.sequence >= info.lastSequence) return;
    }
  } finally {
    await subscription.stop();
  }
}
