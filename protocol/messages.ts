/** Messages on LOGS: batches, ticks, control messages, ends of input. */
import { type RecordBatch, validateBatch } from './batch.ts';
import { isToldCorrection, type ToldCorrection } from './corrections.ts';
import { LogweirError } from './errors.ts';
import { encodeFrame, frameKind, openBody, openFrame, sealBody } from './frame.ts';
import { type MaskedColumns, validateMasked } from './masked.ts';

/**
 * What the leader tells a partition through its own stream, so that it takes effect at the same record in every
 * replay. Idempotent: a version at or under the one of its kind in the state is ignored.
 */
export type ControlMessage =
  | {
      kind: 'analysis';
      version: number;
      /** Raw analysis config as validated by `parseAnalysisConfig`. */
      config: unknown;
    }
  | {
      kind: 'model';
      version: number;
      /** SHA-256 of the model's bytes in the object store, hex; '' for the built-in one. */
      hash: string;
    }
  | {
      kind: 'corrections';
      version: number;
      /** All that concern the partition: what is not among them no longer holds. */
      items: ToldCorrection[];
    };

export interface BatchMessage {
  kind: 'batch';
  batch: RecordBatch;
  /** Travels apart from the batch, so that storage need not carry it. */
  masked?: MaskedColumns | null;
  /** Of a decoded message: the batch as it came, to be passed on unread. */
  body?: Uint8Array;
}

export type LogsMessage =
  | BatchMessage
  | { kind: 'tick' }
  | { kind: 'control'; control: ControlMessage }
  | { kind: 'end'; lane: string };

export function encodeLogsMessage(message: LogsMessage): Uint8Array {
  switch (message.kind) {
    case 'batch':
      return encodeFrame('batch', message.batch, message.masked ? [sealBody(message.masked)] : []);
    case 'tick':
      return encodeFrame('tick', null);
    case 'control':
      return encodeFrame('control', message.control);
    case 'end':
      return encodeFrame('end', { lane: message.lane });
  }
}

/** Hash and version of the model that a message lets serve; null for every other message, at hardly any cost. */
export function modelNamed(bytes: Uint8Array): { hash: string; version: number } | null {
  if (frameKind(bytes) !== 'control') return null;
  try {
    const message = decodeLogsMessage(bytes);
    return message.kind === 'control' && message.control.kind === 'model' ? message.control : null;
  } catch {
    return null;
  }
}

/** Decodes and validates whole, so that state is only touched by a message that will not fail half way. */
export function decodeLogsMessage(bytes: Uint8Array): LogsMessage {
  const { kind, body, attachments } = openFrame(bytes);
  if (attachments.length > (kind === 'batch' ? 1 : 0))
    throw malformed('a message with attachments that it cannot have');
  const value = openBody(body);
  switch (kind) {
    case 'batch': {
      if (value === null || typeof value !== 'object') throw malformed('a batch without columns');
      const batch = validateBatch(value as RecordBatch);
      const attached = attachments[0];
      const masked = attached === undefined ? null : validateMasked(openBody(attached), batch.rows);
      return { kind, batch, masked, body };
    }
    case 'tick':
      return { kind };
    case 'control': {
      const control = value as ControlMessage | null;
      if (control === null || typeof control !== 'object' || !isControl(control))
        throw malformed('an unknown control message');
      return { kind, control };
    }
    case 'end': {
      const lane = (value as { lane?: unknown } | null)?.lane;
      if (typeof lane !== 'string' || lane === '') throw malformed('an end of input without a lane');
      return { kind, lane };
    }
    default:
      throw malformed(`a message of kind ${kind} on LOGS`);
  }
}

function isControl(control: ControlMessage): boolean {
  if (!Number.isInteger(control.version)) return false;
  switch (control.kind) {
    case 'analysis':
      return true;
    case 'model':
      return control.hash === '' || (typeof control.hash === 'string' && /^[\da-f]{64}$/.test(control.hash));
    case 'corrections':
      return Array.isArray(control.items) && control.items.every(isToldCorrection);
    default:
      return false;
  }
}

function malformed(detail: string): LogweirError {
  return new LogweirError('MESSAGE_MALFORMED', `LOGS carries ${detail}.`, 'It was set aside as a dead letter.');
}
