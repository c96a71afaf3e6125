/** Follows growing files into the live lane. An offset is kept only once the stream has what was read before it. */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { sleep, type Time } from '#bus/mod.ts';
import { RecordView, unknownService, viewOf } from '#protocol/mod.ts';
import { type BatchPublisher, Ticket } from './batch-publisher.ts';
import { FileTailer, OverlongLine, type TailBatch } from './files/mod.ts';

export interface FollowOptions {
  paths: readonly string[];
  /** JSON file with the offsets. */
  stateFile: string;
  publisher: BatchPublisher;
  service: string | undefined;
  time: Time;
  signal: AbortSignal;
  onProblem: (path: string, error: Error) => void;
  onRecords: (records: number) => void;
}

/** A record may still grow by continuation lines: it is let go after this long without news of its file, ms. */
const settleMs = 500;
/** … and in any case after this long, so that a busy file's offsets move too. */
const settleMsMax = 2_000;
/** Files whose parser is kept open. */
const filesMax = 10_000;

interface Followed {
  parser: LineParser;
  newest: TailBatch;
  ticket: Ticket;
  sinceMs: number;
  changedMs: number;
}

/** Runs until aborted. @throws LogweirError when the stream does not take records. */
export async function follow(options: FollowOptions): Promise<void> {
  const { publisher, service, time, signal } = options;
  const tailer = new FileTailer({ paths: options.paths, stateFile: options.stateFile, onProblem: options.onProblem });
  const open = new Map<string, Followed>();
  const view = new RecordView();
  let failure: unknown;
  const emitInto = (ticket: Ticket) => (record: ParsedRecord) => {
    publisher.add(viewOf(record, { observedMs: time.now(), service: unknownService }, view), ticket, time.now());
    options.onRecords(1);
  };
  const settle = async (id: string, file: Followed): Promise<void> => {
    open.delete(id);
    file.parser.flush(emitInto(file.ticket));
    publisher.flush();
    await file.ticket.done();
    await file.newest.commit();
  };
  const stopSweeping = time.every(settleMs / 2, () => {
    const now = time.now();
    for (const [id, file] of open)
      if (now - file.changedMs >= settleMs || now - file.sinceMs >= settleMsMax)
        settle(id, file).catch((error: unknown) => {
          failure = error;
          tailer.close();
        });
  });
  try {
    for await (const batch of tailer.batches(signal)) {
      const now = time.now();
      let file = open.get(batch.fileId);
      if (file === undefined) {
        if (open.size >= filesMax) await Promise.all([...open].map(([id, one]) => settle(id, one)));
        const parser = new LineParser({ sourceName: batch.file, service, observedMs: now });
        file = { parser, newest: batch, ticket: new Ticket(), sinceMs: now, changedMs: now };
        open.set(batch.fileId, file);
      }
      file.newest = batch;
      file.changedMs = now;
      while (publisher.full) await sleep(time, 5);
      const emit = emitInto(file.ticket);
      for (const line of batch.lines) if (!(line instanceof OverlongLine)) file.parser.push(line, emit);
      if (batch.last) await settle(batch.fileId, file);
      if (failure !== undefined) break;
    }
    await Promise.all([...open].map(([id, file]) => settle(id, file)));
  } finally {
    stopSweeping();
  }
  if (failure !== undefined) throw failure;
}
