/**
 * Messages on RESULTS and ANOMALIES, and their position (R3 of the design): a position is
 * (generation, sequence, part); a RESULTS message covers (from, to] of one partition in whole sections, one per
 * LOGS sequence; a section too large for one message is split into parts.
 */
import type { Dictionary, RecordBatch } from './batch.ts';
import { LogweirError } from './errors.ts';
import type { Anomaly, Receipt, TemplateRow, WindowRow } from './findings.ts';
import { decodeFrame, encodeFrame, type FrameKind, isCompressed, openBody, openFrame, pack, unpack } from './frame.ts';

/** Columns that analysis adds beside a batch, one entry a row. */
export interface Enrichment {
  templateId: Dictionary;
  category: Dictionary;
  predictedSeverityText: Dictionary;
  predictedSeverityNumber: Uint8Array;
  /** float32 LE a row, 0–1. */
  confidence: Uint8Array;
}

/** Everything that one LOGS message gave. */
export interface Section {
  /** LOGS sequence. */
  sequence: number;
  /** The batch without dropped rows; null for ticks, control and end messages, and when no row was left. */
  batch: RecordBatch | null;
  /** The batch as LOGS carries it, where no row was dropped: RESULTS then passes these bytes on, packed and compressed once. */
  batchBody?: Uint8Array;
  enrichment: Enrichment | null;
  windows: WindowRow[];
  templates: TemplateRow[];
  anomalies: Anomaly[];
  /** Rows dropped as repeats of an Idempotency-Key. */
  duplicates: number;
  /** Why the whole message was set aside, or null. */
  deadLetter: string | null;
}

export interface ChainHeader {
  partition: number;
  generation: number;
  /** Last position covered by the message before this one. */
  from: number;
  to: number;
}

export interface ResultsMessage extends ChainHeader {
  /** When LOGS stored the message at `to`, ms: who meets that sequence again knows by it whether it is that message. */
  toMs: number;
  /** Position of ANOMALIES in this generation once `to` was taken, for the next owner. */
  anomaliesTo: number;
  sections: Section[];
  /** Set where this message carries a piece of one section (`to` is its sequence) instead of whole sections. */
  part: { index: number; last: boolean; bytes: Uint8Array } | null;
}

export interface AnomaliesMessage extends ChainHeader {
  anomalies: Anomaly[];
  /** One per anomaly. */
  receipts: Receipt[];
}

/** Size of one part of an oversized section. A constant of the protocol: two owners must cut alike. */
export const partBytes = 700 * 1024;

/** True where the section says nothing but "this sequence was read". */
export function isEmptySection(section: Section): boolean {
  return (
    section.batch === null &&
    section.windows.length === 0 &&
    section.templates.length === 0 &&
    section.anomalies.length === 0 &&
    section.duplicates === 0 &&
    section.deadLetter === null
  );
}

/** A section's parts on the wire: what is packed, and the batch that is attached instead of being packed again. */
function onWire(section: Section): { packed: Record<string, unknown>; attached: Uint8Array | null } {
  const { batchBody, ...rest } = section;
  // Small bodies are not compressed, and do better packed together with their neighbours.
  const attached = section.batch !== null && batchBody !== undefined && isCompressed(batchBody) ? batchBody : null;
  return { packed: attached === null ? rest : { ...rest, batch: attachedMark }, attached };
}

/** Stands for the next attachment where a batch would be. */
const attachedMark = true;

export function encodeResults(message: ResultsMessage): Uint8Array {
  const parts = message.sections.map(onWire);
  const attachments = parts.flatMap(({ attached }) => attached ?? []);
  return encodeFrame('results', { ...message, sections: parts.map(({ packed }) => packed) }, attachments);
}

/** Bytes of a section's batch in a message: exact where it is attached, about what it is before compression where not. */
export function batchBytes({ batch, batchBody }: Section): number {
  if (batch === null) return 0;
  if (batchBody !== undefined && isCompressed(batchBody)) return batchBody.length;
  const { attributes, traceId } = batch;
  const attributeBytes = (attributes?.values.length ?? 0) + (attributes?.keys.index.length ?? 0);
  return batch.body.length + batch.rows * 28 + attributeBytes + (traceId?.length ?? 0);
}

/** A section packed on its own, as its parts are cut from. */
export function packSection(section: Section): Uint8Array {
  const packed = { ...section };
  delete packed.batchBody;
  return pack(packed);
}

/** Cuts a section that is too large for one message into messages that each carry a part. */
export function splitSection(header: Omit<ResultsMessage, 'sections' | 'part'>, section: Section): ResultsMessage[] {
  const bytes = packSection(section);
  const messages: ResultsMessage[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    const last = at + partBytes >= bytes.length;
    const part = { index: messages.length, last, bytes: bytes.subarray(at, Math.min(at + partBytes, bytes.length)) };
    messages.push({ ...header, to: section.sequence, sections: [], part });
  }
  return messages;
}

/** Joins the parts of a section, in order. */
export function joinParts(parts: readonly Uint8Array[]): Section {
  return unpack(Buffer.concat(parts)) as Section;
}

export function decodeResults(bytes: Uint8Array): ResultsMessage {
  const { kind, body, attachments } = openFrame(bytes);
  const message = checkHeader<ResultsMessage>(kind, openBody(body), 'results');
  let next = 0;
  for (const section of message.sections) {
    if ((section.batch as unknown) !== attachedMark) continue;
    const attached = attachments[next++];
    if (attached === undefined) throw malformed('results', 'a batch that is not there');
    section.batch = openBody(attached) as RecordBatch;
  }
  return message;
}

export function encodeAnomalies(message: AnomaliesMessage): Uint8Array {
  return encodeFrame('anomalies', message);
}

export function decodeAnomalies(bytes: Uint8Array): AnomaliesMessage {
  const { kind, value } = decodeFrame(bytes);
  return checkHeader<AnomaliesMessage>(kind, value, 'anomalies');
}

function checkHeader<T extends ChainHeader>(kind: FrameKind, value: unknown, expected: 'results' | 'anomalies'): T {
  const message = value as Partial<T> | null;
  if (
    kind !== expected ||
    message === null ||
    !Number.isInteger(message.partition) ||
    !Number.isInteger(message.generation) ||
    !Number.isInteger(message.from) ||
    !Number.isInteger(message.to)
  )
    throw malformed(expected, 'a message without a position');
  return message as T;
}

function malformed(stream: string, detail: string): LogweirError {
  return new LogweirError('MESSAGE_MALFORMED', `Stream ${stream} carries ${detail}.`, 'It was set aside.');
}
