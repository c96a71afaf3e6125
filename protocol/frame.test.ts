import { describe, expect, it } from 'vitest';
import {
  attachmentsMax,
  BatchBuilder,
  batchBytes,
  decodeLogsMessage,
  decodeResults,
  encodeFrame,
  encodeLogsMessage,
  encodeResults,
  LogweirError,
  openBody,
  openFrame,
  type RecordBatch,
  RecordView,
  sealBody,
  type Section,
  viewOf,
} from './mod.ts';

function batchOf(rows: number, word: string): RecordBatch {
  const builder = new BatchBuilder('live', 'test');
  const view = new RecordView();
  for (let row = 0; row < rows; row++) {
    const record = { severityNumber: 9, severityText: 'INFO', service: 'shop', body: `${word} ${row} finished` };
    builder.add(viewOf(record, { observedMs: 1_700_000_000_000, service: 'shop' }, view), 1);
  }
  return builder.take() as RecordBatch;
}

/** A section as a partition makes it: with the bytes that its batch came in. */
function sectionOf(sequence: number, rows: number): Section {
  const message = decodeLogsMessage(encodeLogsMessage({ kind: 'batch', batch: batchOf(rows, `job-${sequence}`) }));
  if (message.kind !== 'batch' || message.body === undefined) throw new Error('no batch');
  const found = { enrichment: null, windows: [], templates: [], anomalies: [], duplicates: 0, deadLetter: null };
  return { sequence, batch: message.batch, batchBody: message.body, ...found };
}

describe('a frame', () => {
  it('carries attachments beside its body, byte for byte', () => {
    const attached = [sealBody('small'), sealBody({ text: 'x'.repeat(5_000) })];
    const { kind, body, attachments } = openFrame(encodeFrame('results', { n: 1 }, attached));
    expect(kind).toBe('results');
    expect(openBody(body)).toEqual({ n: 1 });
    expect(attachments.map((one) => openBody(one))).toEqual(['small', { text: 'x'.repeat(5_000) }]);
  });

  it('refuses lengths that lie, wherever they are cut', () => {
    const good = encodeFrame('results', { n: 1 }, [sealBody('a'), sealBody('b')]);
    const lying = good.slice();
    lying[6] = 0xff;
    const many = good.slice();
    many.set([attachmentsMax & 0xff, attachmentsMax >> 8], 4);
    const empty = encodeFrame('results', { n: 1 }, [new Uint8Array(1)]);
    for (const bytes of [lying, many, empty, ...Array.from({ length: good.length - 6 }, (_, i) => good.subarray(0, i))])
      expect(() => openFrame(bytes)).toThrow(LogweirError);
  });
});

describe('RESULTS', () => {
  it('passes the bytes of a batch on as LOGS carries them, and gives the same batch', () => {
    const sections = [sectionOf(1, 200), sectionOf(2, 1), { ...sectionOf(3, 200), batch: null }, sectionOf(4, 300)];
    const encoded = encodeResults({
      partition: 1,
      generation: 1,
      from: 0,
      to: 4,
      toMs: 1,
      anomaliesTo: 0,
      sections,
      part: null,
    });
    const read = decodeResults(encoded).sections;
    expect(read.map(({ batch }) => batch)).toEqual(sections.map(({ batch }) => batch));
    expect(read.every((section) => !('batchBody' in section))).toBe(true);
    const body = sections[3]!.batchBody as Uint8Array;
    expect(Buffer.from(encoded).includes(Buffer.from(body))).toBe(true);
    expect(batchBytes(sections[3]!)).toBe(body.length);
  });

  it('refuses a batch that is not attached', () => {
    const section = { ...sectionOf(1, 1), batch: true };
    const message = {
      partition: 1,
      generation: 1,
      from: 0,
      to: 1,
      toMs: 1,
      anomaliesTo: 0,
      sections: [section],
      part: null,
    };
    expect(() => decodeResults(encodeFrame('results', message))).toThrow(LogweirError);
  });
});
