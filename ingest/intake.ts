/** What every request goes through, whatever its protocol: unpack, read into records, answer when the stream has them. */
import type { RawLines } from '#analysis/formats/mod.ts';
import { type DeadLetter, deadRetryHeader, type DeadResend, LogweirError, type RecordView } from '#protocol/mod.ts';
import type { FastifyRequest } from 'fastify';
import { Ticket } from './batch-publisher.ts';
import { Buried, type Bury, noBury, type Origin } from './bury.ts';
import { decompress } from './decompress.ts';
import { idempotencyName } from './idempotency.ts';
import type { LineOptions, Source } from './pipeline/gate.ts';
import type { ReceiverContext } from './receiver.ts';

export interface Incoming extends Origin {
  /** The body as it came. */
  raw: Buffer;
  /** Content-Encoding. */
  encoding?: string | undefined;
  /** Header `Idempotency-Key`. */
  idempotencyKey?: string | string[] | undefined;
  /** A key for requests without one, from their body; undefined = none. */
  keyOf?: (body: Buffer) => string | undefined;
  /** The key names the request by itself: its body may differ from attempt to attempt. */
  keyAlone?: boolean;
  /** What else names the request beside its key: where the same body means other records. */
  name?: string;
  /** Instead of unpacking by `encoding`. */
  unpack?: (raw: Buffer, bytesMax: number) => Buffer;
  /** It was a dead letter, and still is one where it is refused again. */
  isRetried?: boolean;
  /** How the same body would be sent again. */
  resend?: DeadResend;
}

/** What every HTTP receiver takes of a request. */
export function incomingOf(request: FastifyRequest, receiver: string): Incoming {
  const { headers } = request;
  const encoding = headers['content-encoding'];
  return {
    receiver,
    source: request.ip,
    raw: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
    encoding,
    idempotencyKey: headers['idempotency-key'],
    isRetried: headers[deadRetryHeader] !== undefined,
    resend: {
      path: request.url,
      contentType: headers['content-type'] ?? '',
      ...(encoding === undefined ? {} : { encoding }),
    },
  };
}

const nothing = Buffer.alloc(0);

/** Adds a record to the request's. The view may be used again afterwards. */
export interface Add {
  /** `raw`: the lines that it was read from, where they were kept. */
  (view: RecordView, raw?: RawLines): void;
  /** How lines are to be read. `service`: of all of them, '' where they say it. */
  lines?: ((service: string) => LineOptions) | undefined;
}

export interface Reading {
  /** Records that could not be taken. */
  rejected: number;
}

/**
 * Settles when the stream has acknowledged every record that `read` added; `read` throws where nothing may be taken,
 * before it adds the first.
 * @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE | ENCODING_UNSUPPORTED | RECORD_REJECTED | NATS_UNAVAILABLE | STREAM_FULL
 */
export async function takeIn<T extends Reading>(
  context: ReceiverContext,
  incoming: Incoming,
  read: (body: Buffer, add: Add, nowMs: number, bury: Bury) => T,
): Promise<T> {
  const { publisher, counts, limits, admission, gate } = context;
  const { source, receiver } = incoming;
  counts.requests++;
  const buried = new Buried({ receiver, source }, context.clock());
  let release = (): void => {};
  try {
    if (publisher.full)
      throw new LogweirError(
        'NATS_UNAVAILABLE',
        'The gateway holds as many unacknowledged records as it may.',
        'Send again shortly.',
      );
    const { raw } = incoming;
    const body =
      incoming.unpack === undefined
        ? await decompress(raw, incoming.encoding, limits.bodyBytesMax)
        : incoming.unpack(raw, limits.bodyBytesMax);
    release = context.hold(Math.max(body.length - raw.length, 0), source);
    counts.bytes += body.length;
    const nowMs = context.clock();
    const key = idempotencyName(
      incoming.idempotencyKey ?? incoming.keyOf?.(body),
      incoming.name ?? '',
      incoming.keyAlone === true ? nothing : body,
    );
    const ticket = new Ticket();
    const cost = admission.hasServiceQuotas ? new Map<string, [number, number]>() : null;
    let accepted = 0;
    const from: Source = { receiver, place: source, file: '', line: 0, nowMs, serviceGiven: false };
    const again: DeadLetter[] = [];
    const keep = incoming.isRetried === true ? (letter: DeadLetter) => void again.push(letter) : buried.keep;
    let passedOn = 0;
    const add: Add = (view, lines) => {
      view.idempotencyKey = key;
      view.ordinal = accepted++;
      if (cost !== null) countIn(cost, view);
      const passed = gate.passView(view, from, lines ?? null, keep);
      if (passed === null) return;
      passedOn++;
      publisher.add(passed, ticket, nowMs, source);
    };
    add.lines = (service) => gate.lineOptions(receiver, '', service);
    // Parsing takes the time: whoever sends much waits behind itself.
    const reading = await context.turns.run(source, () => {
      const overdrawn = admission.overdrawn();
      // All or nothing: a request is read once without taking anything where some service must wait.
      if (overdrawn.size > 0)
        read(
          body,
          ({ service }) => {
            if (overdrawn.has(service)) throw admission.overServiceQuota(service);
          },
          nowMs,
          noBury,
        );
      return read(body, add, nowMs, buried.bury);
    });
    admission.charge(source, accepted, body.length, cost);
    // A letter that is set aside again stays where it is; of a whole request, what is set aside again is a new one.
    if (passedOn === 0 && again[0] !== undefined) throw setAsideAgain(again[0]);
    await ticket.done();
    for (const letter of again) context.dead.put(letter);
    if (incoming.isRetried !== true) buried.putAll(context.dead);
    counts.records += accepted;
    counts.rejected += reading.rejected;
    return reading;
  } catch (error) {
    if (error instanceof LogweirError) {
      if (error.retry) counts.unavailable++;
      else if (incoming.isRetried !== true) buried.putRequest(context.dead, error, incoming.raw, incoming.resend);
    }
    throw error;
  } finally {
    release();
  }
}

const setAsideAgain = ({ detail }: DeadLetter): LogweirError =>
  new LogweirError('RECORD_REJECTED', `It is set aside again: ${detail}.`, 'Mend the step that the message names.');

/** Adds a record to what a request costs its services. */
export function countIn(cost: Map<string, [number, number]>, view: RecordView): void {
  const known = cost.get(view.service);
  const bytes = view.bodyEnd - view.bodyStart;
  if (known === undefined) cost.set(view.service, [1, bytes]);
  else {
    known[0]++;
    known[1] += bytes;
  }
}
