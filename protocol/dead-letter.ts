/**
 * What could not be taken, kept for somebody to look at: why, from where, and its bytes. Letters travel on the DEAD stream,
 * subject `dead.<reason>.<receiver>`, which drops its oldest when it is full: nothing ever waits for it.
 */
import { LogweirError } from './errors.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { deadBytesMax, deadTextCharactersMax, serviceNameBytesMax } from './limits.ts';

/** Why something is a dead letter. Each is explained in docs/dead-letters.md; a test holds both equal. */
export const deadReasons = {
  malformed: 'Not what its protocol or format says.',
  too_long: 'Over the limit of one record, message or body.',
  rejected: 'Well formed, with a record that cannot be taken: a body that is missing, a time that is none.',
  pipeline: 'A step of the parsing pipeline set it aside.',
  poison: 'On the LOGS stream already, where it cannot be read, or its analysis fails.',
  stray: 'Published where nobody reads: to a subject that names no service.',
  unreadable: 'A file, or a part of one, that holds no text.',
} as const;
export type DeadReason = keyof typeof deadReasons;

export interface DeadLetter {
  reason: DeadReason;
  /** What was wrong, for people. */
  detail: string;
  /** Receiver that got it, as its port is named; `worker` for what was found behind the stream. */
  receiver: string;
  /** Where it came from: client address, file and line, subject, position on the stream. */
  source: string;
  /** '' where it is not known. */
  service: string;
  /** When it was set aside, ms since 1970. */
  atMs: number;
  /** As they came, up to `deadBytesMax`. */
  bytes: Uint8Array;
  /** How many bytes there were, where more than are kept. */
  bytesWhole?: number;
  /** How it is sent again through a gateway, where that can be: what it came by, or what takes the same. */
  resend?: DeadResend;
}

export interface DeadResend {
  /** Path and query, such as `/ingest?service=shop`. */
  path: string;
  contentType: string;
  /** Content-Encoding. */
  encoding?: string;
  /** What else of its headers says what it means, such as Loki's tenant; never a token. */
  headers?: Readonly<Record<string, string>>;
}

/** Says to a gateway that what comes has its letter already, and gets no other where it is refused again. */
export const deadRetryHeader = 'logweir-dead-letter';

/** A letter on the stream. */
export interface StoredDeadLetter extends DeadLetter {
  /** Its sequence on DEAD. */
  sequence: number;
  /** Unique: the Idempotency-Key under which it is sent again. */
  id: string;
}

const tokenOf = (text: string): string => text.replace(/[^\w-]/g, '_') || '_';

export const deadSubject = (reason: DeadReason, receiver: string): string => `dead.${reason}.${tokenOf(receiver)}`;

/** Reason and receiver that a subject names. */
export function ofDeadSubject(subject: string): { reason: string; receiver: string } {
  const [, reason = '', receiver = ''] = subject.split('.');
  return { reason, receiver };
}

/** Bytes and texts over their bounds are cut. */
export function encodeDeadLetter(letter: DeadLetter, id: string): Uint8Array {
  const { bytes } = letter;
  const whole = letter.bytesWhole ?? bytes.length;
  return encodeFrame('dead', {
    ...letter,
    id,
    detail: letter.detail.slice(0, deadTextCharactersMax),
    source: letter.source.slice(0, deadTextCharactersMax),
    service: letter.service.slice(0, serviceNameBytesMax),
    bytes: bytes.length > deadBytesMax ? bytes.subarray(0, deadBytesMax) : bytes,
    ...(whole > deadBytesMax || letter.bytesWhole !== undefined ? { bytesWhole: whole } : {}),
  });
}

/** @throws LogweirError MESSAGE_MALFORMED */
export function decodeDeadLetter(frame: Uint8Array, sequence: number): StoredDeadLetter {
  const { kind, value } = decodeFrame(frame);
  const letter = value as Partial<StoredDeadLetter> | null;
  const isLetter =
    kind === 'dead' &&
    typeof letter === 'object' &&
    letter !== null &&
    [letter.reason, letter.detail, letter.receiver, letter.source, letter.service, letter.id].every(
      (text) => typeof text === 'string',
    ) &&
    typeof letter.atMs === 'number' &&
    letter.bytes instanceof Uint8Array &&
    (letter.bytesWhole === undefined || typeof letter.bytesWhole === 'number') &&
    (letter.resend === undefined ||
      (typeof letter.resend.path === 'string' &&
        typeof letter.resend.contentType === 'string' &&
        Object.values(letter.resend.headers ?? {}).every((text) => typeof text === 'string')));
  if (!isLetter)
    throw new LogweirError(
      'MESSAGE_MALFORMED',
      `Message ${sequence} on DEAD is no dead letter.`,
      'Something else publishes there; remove it with "logweir dead purge".',
    );
  return { ...(letter as StoredDeadLetter), sequence };
}
