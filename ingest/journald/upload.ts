/**
 * One upload of systemd-journal-upload: a request of unknown length and duration, all that the journal holds since the last.
 * It is read as far as the publisher takes records and quotas allow, and answered when the stream has all of them. The sender
 * knows no "later": any refusal ends it, and it goes on from the last upload that was answered well. So it is made to wait
 * instead, its place kept; and a request is named by the cursor of its first entry, so that what of it was stored before it
 * broke off is not stored twice.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type DeadResend, LogweirError, RecordView } from '#protocol/mod.ts';
import { Ticket } from '../batch-publisher.ts';
import { countIn } from '../intake.ts';
import { fillView } from '../mapping/record.ts';
import type { ReceiverContext } from '../receiver.ts';
import { entryBytesMax, type JournalEntry, JournalExportReader } from './export-reader.ts';
import { recordOfEntry } from './record.ts';

export const uploadPath = '/upload';
export const uploadType = 'application/vnd.fdo.journal';

export interface UploadRead {
  taken: number;
  rejected: number;
  /** Why the first was not taken, '' where all were. */
  reason: string;
  /** Bytes at the end that are no whole entry. */
  restBytes: number;
}

/** How an entry that was not taken is sent again: alone. */
const resendEntry: DeadResend = { path: uploadPath, contentType: uploadType };

/** What an upload may hold: an entry that is not whole, and the chunk that came. */
const heldBytes = entryBytesMax + 64 * 1024;
const lookEveryMsMax = 250;
/** An entry that has begun must go on within this; between entries a sender may be quiet. */
const stalledMs = 30_000;
const idleMs = 3_600_000;
/** Characters of the name that travels with the records: 128 bits in base64url. */
const nameCharacters = 22;

/**
 * `chunks`: the body, unpacked. `again`: the key of a dead letter that is sent again, under which it counts once; where it is not
 * taken again it gets no other letter.
 * @throws LogweirError REQUEST_INVALID | NATS_UNAVAILABLE | STREAM_FULL
 */
export async function takeUpload(
  context: ReceiverContext,
  body: Readable,
  chunks: AsyncIterable<Uint8Array>,
  source: string,
  again?: string,
): Promise<UploadRead> {
  const { publisher, counts, clock, dead, gate, admission, turns } = context;
  counts.requests++;
  const release = context.hold(heldBytes, source);
  const ticket = new Ticket();
  const view = new RecordView();
  const read: UploadRead = { taken: 0, rejected: 0, reason: '', restBytes: 0 };
  const from = { receiver: 'journald', place: source, file: '', line: 0, nowMs: 0, serviceGiven: false };
  let key = '';
  let ordinal = 0;
  /** Of the last chunk: records and bytes by service, where services have quotas. */
  const cost = admission.hasServiceQuotas ? new Map<string, [number, number]>() : null;
  const reject = (
    reason: 'malformed' | 'rejected' | 'too_long',
    detail: string,
    bytes: Buffer,
    resend?: DeadResend,
  ): void => {
    read.rejected++;
    counts.rejected++;
    read.reason ||= detail;
    if (again !== undefined) return;
    const letter = { reason, detail, receiver: 'journald', source, service: '', atMs: clock(), bytes };
    dead.put(resend === undefined ? letter : { ...letter, resend });
  };
  const take = (entry: JournalEntry): void => {
    const nowMs = clock();
    if (ordinal === 0) key = again === undefined ? nameOf(entry) : nameOfKey(again);
    // Every entry counts, taken or not: the same entry has the same number when it comes again.
    const at = ordinal++;
    const record = recordOfEntry(entry, nowMs);
    const reason = 'reject' in record ? record.reject : fillView(record, nowMs, view);
    if (reason !== '')
      return reject('reject' in record ? 'rejected' : 'too_long', reason, exportOf(entry), resendEntry);
    view.idempotencyKey = key;
    view.ordinal = key === '' ? 0 : at;
    from.nowMs = nowMs;
    if (cost !== null) countIn(cost, view);
    const passed = gate.passView(view, from, null);
    if (passed !== null) publisher.add(passed, ticket, nowMs, source);
    counts.records++;
    read.taken++;
  };
  const reader = new JournalExportReader({
    entry: take,
    malformed: (reason, bytes) => reject('malformed', reason, bytes),
  });
  const watch = new Watch(body);
  /** The sender waits as long as it must: the kernel's buffers fill, and nothing more is held here. */
  const untilAllowed = async (): Promise<void> => {
    for (let waitMs = 0; ticket.failure === null; await sleepMs(waitMs)) {
      waitMs = Math.min(admission.pauseMs(source, cost?.keys() ?? []), lookEveryMsMax);
      if (waitMs === 0) return;
      if (body.readableAborted) throw new Error('its sender went away while it waited');
    }
    throw ticket.failure;
  };
  try {
    for await (const chunk of chunks) {
      counts.bytes += chunk.length;
      watch.pause();
      // Others of its address, or it before it broke off, may have emptied the quota.
      await untilAllowed();
      const before = read.taken;
      cost?.clear();
      await turns.run(source, () => reader.push(chunk));
      admission.charge(source, read.taken - before, chunk.length, cost);
      await untilAllowed();
      watch.start(reader.openBytes > 0 ? stalledMs : idleMs);
    }
    watch.pause();
    read.restBytes = reader.end();
    await ticket.done();
    return read;
  } catch (error) {
    if (!(error instanceof LogweirError))
      throw new LogweirError(
        'REQUEST_INVALID',
        `The upload broke off: ${(error as Error).message}.`,
        'Send it again.',
        {
          cause: error,
        },
      );
    if (error.retry) counts.unavailable++;
    throw error;
  } finally {
    watch.pause();
    release();
  }
}

const sleepMs = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Ends a body on which nothing comes any more. */
class Watch {
  private readonly body: Readable;
  private timer: NodeJS.Timeout | undefined;

  constructor(body: Readable) {
    this.body = body;
    this.start(stalledMs);
  }

  start(afterMs: number): void {
    this.pause();
    this.timer = setTimeout(() => this.body.destroy(new Error(`nothing came for ${afterMs / 1_000} s`)), afterMs);
  }

  pause(): void {
    clearTimeout(this.timer);
  }
}

const nameOfKey = (key: string): string =>
  createHash('sha256').update(`journald again\0${key}`).digest('base64url').slice(0, nameCharacters);

/** '' where the first entry names no place in a journal: then repeats are not told apart. */
function nameOf({ fields }: JournalEntry): string {
  const at = fields.indexOf('__CURSOR');
  if (at < 0 || at % 2 !== 0) return '';
  return createHash('sha256')
    .update(`journald\0${fields[at + 1] as string}`)
    .digest('base64url')
    .slice(0, nameCharacters);
}

/** An entry in the format that it came in, less what it was too large to keep. */
function exportOf({ fields }: JournalEntry): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (!value.includes('\n')) {
      parts.push(Buffer.from(`${name}=${value}\n`));
      continue;
    }
    const bytes = Buffer.from(value);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(bytes.length));
    parts.push(Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n'));
  }
  return Buffer.concat([...parts, Buffer.from('\n')]);
}
