/**
 * Messages whose analysis throws after it has changed half the state: what a bug in a detector would do. Nothing known
 * does so in the real code, so `Partition.step` throws for marked messages as long as a simulation runs, in the cluster
 * and in the fold alike.
 */
import { BatchBuilder, encodeLogsMessage, liveLane, type RecordBatch, RecordView, viewOf } from '#protocol/mod.ts';
import { Partition } from '#workers/mod.ts';

const marked = new WeakSet<Uint8Array>();

/** A sound batch that must become a dead letter. */
export function poisonedBatch(service: string, nowMs: number): Uint8Array {
  const builder = new BatchBuilder(liveLane, 'http');
  const record = {
    service,
    body: 'a message that the analysis cannot take',
    timeMs: nowMs,
    severityNumber: 17,
    severityText: '',
  };
  builder.add(viewOf(record, { observedMs: nowMs, service }, new RecordView()), nowMs);
  const data = encodeLogsMessage({ kind: 'batch', batch: builder.take() as RecordBatch });
  marked.add(data);
  return data;
}

/** Returns the way back. */
export function breakAnalysis(): () => void {
  const { step } = Partition.prototype;
  Partition.prototype.step = function (message, poisoned) {
    const output = step.call(this, message, poisoned);
    if ((poisoned ?? null) === null && marked.has(message.data)) throw new Error('the analysis gave up');
    return output;
  };
  return () => {
    Partition.prototype.step = step;
  };
}
