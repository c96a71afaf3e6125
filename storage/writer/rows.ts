/** Small tables (windows, templates, anomalies, …): rows to Native columns, by a description of each column. */
import { ByteWriter, type CorrectionAct, type WindowRow } from '#protocol/mod.ts';
import type { Anomaly, AlertTransition, IncidentVersion, Rolling, TemplateRow } from '#protocol/mod.ts';
import { type Column, writeBlock } from './native.ts';

/** Integer up to 2^53 in 64 bits, negative ones included. */
function int64(out: ByteWriter, value: number): void {
  out.uint32(value >>> 0);
  out.uint32(Math.floor(value / 4294967296) >>> 0);
}

const floatBytes = new DataView(new ArrayBuffer(8));
function float64(out: ByteWriter, value: number): void {
  floatBytes.setFloat64(0, value, true);
  out.uint32(floatBytes.getUint32(0, true));
  out.uint32(floatBytes.getUint32(4, true));
}

interface Field<R> {
  name: string;
  type: string;
  write: (out: ByteWriter, rows: readonly R[]) => void;
}

const scalar =
  <V>(type: string, put: (out: ByteWriter, value: V) => void) =>
  <R>(name: string, get: (row: R) => V): Field<R> => ({
    name,
    type,
    write: (out, rows) => {
      for (const row of rows) put(out, get(row));
    },
  });

const text = scalar<string>('String', (out, value) => out.string(value));
const count = scalar<number>('UInt64', int64);
const count32 = scalar<number>('UInt32', (out, value) => out.uint32(value));
const count16 = scalar<number>('UInt16', (out, value) => out.uint16(value));
const real = scalar<number>('Float64', float64);
/** ms since 1970; rounded, as a mean may be a fraction. */
const moment = scalar<number>('DateTime64(3)', (out, value) => int64(out, Math.round(value)));
const truth = scalar<boolean>('Bool', (out, value) => out.uint8(value ? 1 : 0));

/** Array or Map of rows: offsets of all rows, then each part of all elements. */
function list<R, E>(
  name: string,
  type: string,
  get: (row: R) => readonly E[],
  ...parts: ((out: ByteWriter, element: E, index: number) => void)[]
): Field<R> {
  return {
    name,
    type,
    write: (out, rows) => {
      let offset = 0;
      const elements = rows.flatMap((row) => {
        const own = get(row);
        offset += own.length;
        int64(out, offset);
        return own;
      });
      for (const part of parts) for (const [index, element] of elements.entries()) part(out, element, index);
    },
  };
}

/** A row that has a position: its version, and the order of versions across generations. */
export interface Versioned<R> {
  row: R;
  generation: number;
  partition: number;
  version: number;
}

/**
 * The rank of a version is (generation << 32) + version, carried over: a later generation outranks an earlier one. It
 * does because generations are seconds (see `generationAfter` of #bus), and no stream takes 2^32 messages a second.
 * Clusters from before that count 1, 2, 3 and go on as they began: (generation << 48) + version.
 */
const countedGenerationsMax = 2 ** 16;

function versioned<R>(fields: readonly Field<R>[]): Field<Versioned<R>>[] {
  return [
    ...fields.map(
      ({ name, type, write }): Field<Versioned<R>> => ({
        name,
        type,
        write: (out, rows) =>
          write(
            out,
            rows.map(({ row }) => row),
          ),
      }),
    ),
    count32('Generation', ({ generation }) => generation),
    count16('Partition', ({ partition }) => partition),
    count('Version', ({ version }) => version),
    {
      name: 'VersionRank',
      type: 'UInt64',
      write: (out, rows) => {
        // Beyond what a double holds exactly: by halves.
        for (const { generation, version } of rows) {
          const high = generation < countedGenerationsMax ? generation * 65536 : generation;
          out.uint32(version >>> 0);
          out.uint32((high + Math.floor(version / 4294967296)) >>> 0);
        }
      },
    },
  ];
}

const rollingParts = ['min', 'max', 'mean', 'std', 'p95'] as const satisfies readonly (keyof Rolling)[];

export const windowFields = versioned<WindowRow>([
  text('ServiceName', (row) => row.service),
  text('Lane', (row) => row.lane),
  moment('WindowStart', (row) => row.startMs),
  moment('WindowEnd', (row) => row.endMs),
  count('LogCount', (row) => row.logCount),
  count('InfoCount', (row) => row.infoCount),
  count('WarnCount', (row) => row.warnCount),
  count('ErrorCount', (row) => row.errorCount),
  count('FatalCount', (row) => row.fatalCount),
  count('CriticalCount', (row) => row.criticalCount),
  count('DebugCount', (row) => row.debugCount),
  real('ErrorRate', (row) => row.errorRate),
  real('WarnToInfoRatio', (row) => row.warnToInfoRatio),
  count32('TemplateCount', (row) => row.templateCount),
  count32('NewTemplateCount', (row) => row.newTemplateCount),
  count('ValueCount', (row) => row.valueCount),
  real('ValueMean', (row) => row.valueMean),
  real('ValueP95', (row) => row.valueP95),
  real('ValueMax', (row) => row.valueMax),
  list(
    'Rolling',
    'Map(String, Tuple(Min Float64, Max Float64, Mean Float64, Std Float64, P95 Float64))',
    (row) => Object.entries(row.rolling),
    (out, [name]) => out.string(name),
    ...rollingParts.map(
      (part) =>
        (out: ByteWriter, [, rolling]: [string, Rolling]) =>
          float64(out, rolling[part]),
    ),
  ),
  count('LateCount', (row) => row.lateCount),
]);

export const templateFields = versioned<TemplateRow>([
  text('TemplateId', (row) => row.templateId),
  text('ServiceName', (row) => row.service),
  text('Lane', (row) => row.lane),
  text('Template', (row) => row.template),
  moment('FirstSeen', (row) => row.firstSeenMs),
  moment('LastSeen', (row) => row.lastSeenMs),
  count('Count', (row) => row.count),
  text('MergedInto', (row) => row.mergedInto),
  text('Category', (row) => row.category),
  text('SeverityText', (row) => row.severityText),
]);

/** `gatewayMs`: when the gateway took the batch that decided the anomaly; 0 = a tick did. */
export const anomalyFields = versioned<{ anomaly: Anomaly; gatewayMs: number }>([
  text('AnomalyId', ({ anomaly }) => anomaly.anomalyId),
  text('ServiceName', ({ anomaly }) => anomaly.service),
  text('Lane', ({ anomaly }) => anomaly.lane),
  text('Detector', ({ anomaly }) => anomaly.detector),
  text('Subject', ({ anomaly }) => anomaly.subject),
  moment('WindowStart', ({ anomaly }) => anomaly.startMs),
  moment('WindowEnd', ({ anomaly }) => anomaly.endMs),
  moment('DetectedAt', ({ anomaly }) => anomaly.decidedAtMs),
  real('Score', ({ anomaly }) => anomaly.score),
  real('Actual', ({ anomaly }) => anomaly.actual),
  real('Typical', ({ anomaly }) => anomaly.typical),
  text('Description', ({ anomaly }) => anomaly.description),
  list(
    'Influencers',
    'Array(Tuple(Kind String, Name String, Share Float64))',
    ({ anomaly }) => anomaly.influencers,
    (out, { kind }) => out.string(kind),
    (out, { name }) => out.string(name),
    (out, { share }) => float64(out, share),
  ),
  list(
    'Samples',
    'Array(String)',
    ({ anomaly }) => anomaly.samples,
    (out, sample) => out.string(sample),
  ),
  list(
    'TraceIds',
    'Array(String)',
    ({ anomaly }) => anomaly.traceIds ?? [],
    (out, id) => out.string(id),
  ),
  list(
    'Hosts',
    'Array(String)',
    ({ anomaly }) => anomaly.hosts ?? [],
    (out, host) => out.string(host),
  ),
  moment('Watermark', ({ anomaly }) => anomaly.watermarkMs),
  count('LateCount', ({ anomaly }) => anomaly.lateCount),
  truth('Revised', ({ anomaly }) => anomaly.revised),
  truth('Open', ({ anomaly }) => anomaly.open ?? false),
  moment('ReceiptEvent', ({ anomaly }) => anomaly.eventMs),
  moment('ReceiptGateway', ({ gatewayMs }) => gatewayMs),
]);

export const alertFields = versioned<AlertTransition>([
  text('AlertId', (row) => row.alertId),
  count32('Transition', (row) => row.transition),
  text('State', (row) => row.state),
  moment('ChangedAt', (row) => row.atMs),
  text('ServiceName', (row) => row.service),
  text('Lane', (row) => row.lane),
  text('Detector', (row) => row.detector),
  text('Subject', (row) => row.subject),
  text('AnomalyId', (row) => row.anomalyId),
  real('Score', (row) => row.score),
  real('Actual', (row) => row.actual),
  real('Typical', (row) => row.typical),
  text('Description', (row) => row.description),
  text('GroupKey', (row) => row.groupKey),
  list(
    'Channels',
    'Array(String)',
    (row) => row.channels,
    (out, channel) => out.string(channel),
  ),
  text('SuppressedBy', (row) => row.suppressedBy),
  moment('ReceiptEvent', (row) => row.receipt.eventMs),
  moment('ReceiptGateway', (row) => row.receipt.gatewayMs),
  moment('ReceiptProcessing', (row) => row.receipt.processingMs),
  moment('ReceiptDetected', (row) => row.receipt.detectedMs),
]);

/** An array within each element of a list: offsets of all, then what is in them. */
function inner<E>(get: (element: E) => readonly string[]): ((out: ByteWriter, element: E, index: number) => void)[] {
  let offset = 0;
  return [
    (out, element, index) => {
      offset = (index === 0 ? 0 : offset) + get(element).length;
      int64(out, offset);
    },
    (out, element) => {
      for (const one of get(element)) out.string(one);
    },
  ];
}

const onset = (out: ByteWriter, ms: number): void => int64(out, Math.round(ms));

export const incidentFields = versioned<IncidentVersion>([
  text('IncidentId', (row) => row.incidentId),
  text('Title', (row) => row.title),
  text('Description', (row) => row.description),
  text('State', (row) => row.state),
  text('Lane', (row) => row.lane),
  text('MergedInto', (row) => row.mergedInto),
  moment('StartedAt', (row) => row.startedMs),
  moment('ChangedAt', (row) => row.changedMs),
  moment('EndedAt', (row) => row.endedMs),
  list(
    'Services',
    'Array(String)',
    (row) => row.services,
    (out, service) => out.string(service),
  ),
  text('FirstMover', (row) => row.firstMover),
  list(
    'Ranks',
    'Array(UInt16)',
    (row) => row.ranks,
    (out, rank) => out.uint16(rank),
  ),
  // By service, in the same order: when it certainly had begun.
  list('Onsets', 'Array(DateTime64(3))', (row) => row.services.map((name) => onsetOf(row, name)), onset),
  list(
    'AnomalyIds',
    'Array(String)',
    (row) => row.members,
    (out, { anomalyId }) => out.string(anomalyId),
  ),
  list(
    'Members',
    'Array(Tuple(AnomalyId String, ServiceName String, Detector String, Subject String, Score Float64, OnsetFrom DateTime64(3), OnsetBy DateTime64(3), EndedAt DateTime64(3), Description String))',
    (row) => row.members,
    (out, { anomalyId }) => out.string(anomalyId),
    (out, { service }) => out.string(service),
    (out, { detector }) => out.string(detector),
    (out, { subject }) => out.string(subject),
    (out, { score }) => float64(out, score),
    (out, { onsetFromMs }) => onset(out, onsetFromMs),
    (out, { onsetByMs }) => onset(out, onsetByMs),
    (out, { endMs }) => onset(out, endMs),
    (out, { description }) => out.string(description),
  ),
  count32('MoreMembers', (row) => row.more),
  list(
    'Clues',
    'Array(Tuple(Kind String, Value String, Services Array(String)))',
    (row) => row.clues,
    (out, { kind }) => out.string(kind),
    (out, { value }) => out.string(value),
    ...inner<IncidentVersion['clues'][number]>(({ services }) => services),
  ),
  real('Score', (row) => row.score),
  text('WorstAnomalyId', (row) => row.worstAnomalyId),
]);

/** Of a service whose findings are beyond those shown, as early as the incident. */
function onsetOf({ members, startedMs }: IncidentVersion, service: string): number {
  const own = members.filter((member) => member.service === service);
  return own.length === 0 ? startedMs : Math.min(...own.map(({ onsetByMs }) => onsetByMs));
}

/** What one partition gave to a block. */
export interface LedgerRow {
  generation: number;
  partition: number;
  fromSequence: number;
  toSequence: number;
  rows: number;
  duplicates: number;
  deadLetters: number;
}

export const ledgerFields: readonly Field<LedgerRow>[] = [
  count32('Generation', (row) => row.generation),
  count16('Partition', (row) => row.partition),
  count('FromSequence', (row) => row.fromSequence),
  count('ToSequence', (row) => row.toSequence),
  count('Rows', (row) => row.rows),
  count('Duplicates', (row) => row.duplicates),
  count('DeadLetters', (row) => row.deadLetters),
];

export interface DeadLetterRow {
  generation: number;
  partition: number;
  sequence: number;
  reason: string;
}

export const deadLetterFields: readonly Field<DeadLetterRow>[] = [
  count32('Generation', (row) => row.generation),
  count16('Partition', (row) => row.partition),
  count('Sequence', (row) => row.sequence),
  text('Reason', (row) => row.reason),
];

export const correctionFields: readonly Field<CorrectionAct>[] = [
  moment('At', (act) => act.atMs),
  count('Version', (act) => act.version),
  text('Act', (act) => act.kind),
  text('CorrectionId', ({ correction }) => correction.id),
  text('DoneBy', (act) => act.by),
  text('Why', (act) => act.why),
  text('ServiceName', ({ correction }) => correction.service),
  text('Text', ({ correction }) => correction.text),
  text('TemplateId', ({ correction }) => correction.templateId),
  text('SeverityText', ({ correction }) => correction.severity),
  text('Category', ({ correction }) => correction.category),
];

/** Rows as one Native block. */
export function encodeRows<R>(
  fields: readonly Field<R>[],
  rows: readonly R[],
): { structure: string; chunks: Uint8Array[] } {
  const columns = fields.map(({ name, type, write }) => {
    const out = new ByteWriter(rows.length * 8 + 64);
    write(out, rows);
    const data = out.view();
    const column: Column = { type, bytes: data.length, write: (list) => list.append(data) };
    return { name, column };
  });
  return writeBlock(columns, rows.length);
}
