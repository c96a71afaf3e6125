/**
 * Messages on RESULTS and ANOMALIES, and their position (R3 of the design): a position is
 * (generation, sequence, part); a RESULTS message covers (from, to] of one partition in whole sections, one per
 * LOGS sequence; a section too large for one message is split into parts.
 */
import type { Dictionary, RecordBatch } from './batch.ts';
import { LogweirError } from './errors.ts';
import type { Anomaly, Receipt, TemplateRow, WindowRow } from './findings.ts';
import { decodeFrame, encodeFrame, pack, unpack } from './frame.ts';

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

export function encodeResults(message: ResultsMessage): Uint8Array {
  return encodeFrame('results', message);
}

/** Cuts a section that is too large for one message into messages that each carry a part. */
export function splitSection(header: ChainHeader, section: Section): ResultsMessage[] {
  const bytes = pack(section);
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
  return header<ResultsMessage>(bytes, 'results');
}

export function encodeAnomalies(message: AnomaliesMessage): Uint8Array {
  return encodeFrame('anomalies', message);
}

export function decodeAnomalies(bytes: Uint8Array): AnomaliesMessage {
  return header<AnomaliesMessage>(bytes, 'anomalies');
}

function header<T extends ChainHeader>(bytes: Uint8Array, expected: 'results' | 'anomalies'): T {
  const { kind, value } = decodeFrame(bytes);
  const message = value as Partial<T> | null;
  if (
    kind !== expected ||
    message === null ||
    !Number.isInteger(message.partition) ||
    !Number.isInteger(message.generation) ||
    !Number.isInteger(message.from) ||
    !Number.isInteger(message.to)
  ) {
    throw new LogweirError(
      'MESSAGE_MALFORMED',
      `Stream ${expected} carries a message without a position.`,
      'It was set aside.',
    );
  }
  return message as T;
}
