/** Sections of RESULTS for tests and benchmarks, from a seed: the same seed gives the same bytes. */
import {
  BatchBuilder,
  ByteWriter,
  type Dictionary,
  type Enrichment,
  RecordView,
  type RecordBatch,
  type Section,
} from '#protocol/mod.ts';

export interface SectionShape {
  sequence: number;
  rows: number;
  /** Event time of the first row, ms. */
  startMs: number;
  /** Between rows, ms, default 1. */
  stepMs?: number;
  services?: number;
  lane?: string;
  attributes?: boolean;
  resource?: boolean;
  trace?: boolean;
}

const encoder = new TextEncoder();

export function makeBatch(shape: SectionShape): RecordBatch {
  const builder = new BatchBuilder(shape.lane ?? 'live', 'http');
  const view = new RecordView();
  const resource = shape.resource === true ? ['host.name', 'node-1', 'deployment.environment', "it's \\ prod"] : null;
  for (let row = 0; row < shape.rows; row++) {
    view.clear();
    const id = shape.sequence * 10_000 + row;
    const body = `request ${id} from 10.0.${row % 256}.${id % 256} finished in ${(id * 7) % 900} ms with status ${row % 9 === 0 ? 500 : 200}: ünïcode \n\n; tail`;
    const user = `user-${id % 50}`;
    view.bytes = encoder.encode(body + user);
    view.bodyEnd = view.bytes.length - user.length;
    view.timeMs = shape.startMs + row * (shape.stepMs ?? 1);
    view.timeSubNs = 123_456;
    view.observedMs = 1_760_000_000_000 + row;
    view.service = `service-${(shape.sequence + row) % (shape.services ?? 3)}`;
    view.severityText = row % 9 === 0 ? 'ERROR' : row % 2 === 0 ? 'info' : '';
    view.severityNumber = row % 9 === 0 ? 17 : row % 2 === 0 ? 9 : 0;
    if (shape.trace === true) {
      view.traceId = id.toString(16).padStart(32, '0');
      view.spanId = id.toString(16).padStart(16, '0');
      view.traceFlags = 1;
    }
    if (shape.attributes === true && row % 3 !== 2) {
      view.attributeCount = 1 + (row % 2);
      for (let i = 0; i < view.attributeCount; i++) {
        view.attributeKeys[i] = i === 0 ? 'user' : `key-${row % 5}`;
        view.attributeStarts[i] = view.bodyEnd;
        view.attributeEnds[i] = view.bytes.length;
      }
    }
    view.resource = resource;
    builder.add(view, 1_760_000_000_500);
  }
  return builder.take() as RecordBatch;
}

function cycle(values: string[], rows: number): Dictionary {
  const index = new ByteWriter(rows * 2);
  for (let row = 0; row < rows; row++) index.uint16(row % values.length);
  return { values, index: index.copy() };
}

export function makeEnrichment(rows: number): Enrichment {
  const confidence = new Float32Array(rows).map((_, row) => (row % 4) / 4);
  return {
    templateId: cycle(['aaaaaaaaaaaaaaa1', 'aaaaaaaaaaaaaaa2', 'aaaaaaaaaaaaaaa3'], rows),
    category: cycle(['http', 'database'], rows),
    predictedSeverityText: cycle(['INFO', 'ERROR'], rows),
    predictedSeverityNumber: new Uint8Array(rows).map((_, row) => (row % 2 === 0 ? 9 : 17)),
    confidence: new Uint8Array(confidence.buffer),
  };
}

export function makeSection(shape: SectionShape, extra: Partial<Section> = {}): Section {
  const batch = shape.rows === 0 ? null : makeBatch(shape);
  return {
    sequence: shape.sequence,
    batch,
    enrichment: batch === null ? null : makeEnrichment(shape.rows),
    windows: [],
    templates: [],
    anomalies: [],
    duplicates: 0,
    deadLetter: null,
    ...extra,
  };
}
