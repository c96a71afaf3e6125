/**
 * What a record costs in each part on its way, on the demo's mix: records a second of one core, CPU time and bytes allocated
 * (heap and buffers) a record. Records come in stretches of 5,000; of the bytes the median counts, as a collection within a
 * stretch hides some.
 * Run: node loadtest/bench/parts.bench.ts [--json] [--only TEXT]
 */
import { parseArgs } from 'node:util';
import { baseModel, Classifier, classificationDefaults } from '#analysis/classification/mod.ts';
import {
  analysisDefaults,
  type Findings,
  type ObservedEvent,
  ServiceAnalysis,
  type TemplateInfo,
} from '#analysis/detectors/mod.ts';
import { LineParser } from '#analysis/formats/mod.ts';
import { Masker, MaskedLines, TemplateMiner } from '#analysis/templates/mod.ts';
import { classOfSeverity, EventWindows } from '#analysis/windows/mod.ts';
import { toNdjson, Traffic } from '#generator/mod.ts';
import {
  BatchBuilder,
  decodeLogsMessage,
  decodeResults,
  encodeLogsMessage,
  encodeResults,
  millisecondsAt,
  type RecordBatch,
  type ResultsMessage,
  type Section,
  StringCursor,
} from '#protocol/mod.ts';
import { NdjsonScanner } from '../../ingest/ndjson.ts';
import { BlockBuilder } from '../../storage/writer/block.ts';
import { Partition } from '../../workers/mod.ts';
import { heldBytes, percentile, tenths } from '../statistics.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
});
const rowsPerStretch = 5_000;
const rowsPerBatch = 500;
const stretches = 60;
/** Classification is asked once a template in life: of fewer records. */
const textsPerStretch = 250;
const startMs = Date.UTC(2026, 0, 15, 12);

interface Cost {
  part: string;
  recordsPerSecond: number;
  nsPerRecord: number;
  bytesPerRecord: number;
}

const costs: Cost[] = [];

/** Runs a part over all stretches, the first quarter to warm up. */
function measure(part: string, run: (stretch: number) => void, records = rowsPerStretch): void {
  if (!part.includes(values.only)) return;
  const warm = stretches / 4;
  for (let stretch = 0; stretch < warm; stretch++) run(stretch);
  const bytes: number[] = [];
  const before = process.threadCpuUsage();
  for (let stretch = warm; stretch < stretches; stretch++) {
    const held = heldBytes();
    run(stretch);
    bytes.push((heldBytes() - held) / records);
  }
  // Of all stretches at once: the kernel accounts by ticks of some ms.
  const { user, system } = process.threadCpuUsage(before);
  const nsPerRecord = ((user + system) * 1_000) / (records * (stretches - warm));
  const bytesPerRecord = percentile(
    bytes.toSorted((a, b) => a - b),
    0.5,
  );
  costs.push({
    part,
    recordsPerSecond: Math.round(1e9 / nsPerRecord),
    nsPerRecord: Math.round(nsPerRecord),
    bytesPerRecord: tenths(Math.max(bytesPerRecord, 0)),
  });
}

const traffic = new Traffic({ seed: 1, ratePerSecond: rowsPerStretch });
/** A second of event time each, all of one service. */
const bodies = Array.from({ length: stretches }, (_, second) => {
  const at = startMs + second * 1_000;
  const records = traffic.step(at, at + 1_000).slice(0, rowsPerStretch);
  const lines = records.map((record) => toNdjson({ ...record, service: 'shop' }));
  while (lines.length < rowsPerStretch) lines.push(lines.at(-1) as string);
  const cuts = Array.from({ length: rowsPerStretch / rowsPerBatch }, (_, i) => i * rowsPerBatch);
  return cuts.map((from) => Buffer.from(lines.slice(from, from + rowsPerBatch).join('')));
});
const bodiesOf = (stretch: number): Buffer[] => bodies[stretch] as Buffer[];

function batchOf(body: Buffer): RecordBatch {
  const scanner = new NdjsonScanner(body, startMs, 'shop');
  const builder = new BatchBuilder('live', 'bench');
  while (scanner.next() === 'record') builder.add(scanner.view, startMs);
  return builder.take() as RecordBatch;
}

const batches = bodies.map((several) => several.map(batchOf));
const batchesOf = (stretch: number): RecordBatch[] => batches[stretch] as RecordBatch[];
const messages = batches.map((several) => several.map((batch) => encodeLogsMessage({ kind: 'batch', batch })));

measure('formats: a line of JSON as text', (stretch) => {
  const parser = new LineParser({ observedMs: startMs });
  for (const body of bodiesOf(stretch)) {
    let from = 0;
    for (let to = body.indexOf(0x0a); to >= 0; from = to + 1, to = body.indexOf(0x0a, from))
      parser.push(body.subarray(from, to), () => {});
  }
  parser.flush(() => {});
});
measure('gateway: NDJSON read', (stretch) => {
  for (const body of bodiesOf(stretch)) {
    const scanner = new NdjsonScanner(body, startMs, 'shop');
    while (scanner.next() === 'record');
  }
});
measure('gateway: NDJSON read, put into batches', (stretch) => void bodiesOf(stretch).map(batchOf));
measure('gateway: batch packed and compressed', (stretch) => {
  for (const batch of batchesOf(stretch)) encodeLogsMessage({ kind: 'batch', batch });
});
const masker = new Masker(1);
measure('gateway: bodies masked', (stretch) => void batchesOf(stretch).map((batch) => masker.mask(batch)));
measure('worker: message read and checked', (stretch) => void (messages[stretch] ?? []).map(decodeLogsMessage));

const miner = new TemplateMiner();
measure('templates: line mined', (stretch) => eachBody(stretch, (bytes, from, to) => miner.mine(bytes, from, to, 1)));
const maskedMiner = new TemplateMiner();
const maskedLines = batches.map((several) => several.map((batch) => masker.mask(batch)));
measure('templates: line mined, masked before', (stretch) => {
  for (const columns of maskedLines[stretch] ?? []) {
    if (columns === null) continue;
    const lines = new MaskedLines(columns);
    maskedMiner.openMasked(lines);
    for (let row = 0; row < rowsPerBatch; row++) {
      lines.next();
      maskedMiner.mineMasked(lines, 1);
    }
  }
});
const classifier = new Classifier(classificationDefaults, baseModel);
const texts = Array.from({ length: textsPerStretch }, (_, i) => miner.textOf(i % Math.max(miner.size, 1)));
measure(
  'classification: a template',
  (stretch) => {
    for (const [i, text] of texts.entries()) classifier.classify(`${text} ${stretch} ${i}`);
  },
  textsPerStretch,
);

/** What the miner says of each record, so that windows and detectors can be measured without it. */
const events = batches.map((several) => {
  const before = new TemplateMiner();
  return several.flatMap((batch) => {
    const cursor = new StringCursor(batch.body);
    return Array.from({ length: batch.rows }, (_, row): ObservedEvent => {
      cursor.advance();
      const { start, end } = cursor;
      const templateSlot = before.mine(batch.body, start, end, 1);
      return {
        timeMs: millisecondsAt(batch.time, row),
        streamTimeMs: millisecondsAt(batch.time, row),
        sequence: 1,
        severityNumber: batch.severityNumber[row] as number,
        isStated: true,
        errorChance: 0,
        templateSlot,
        isNewTemplate: false,
        numbers: before.numbers.slice(0, before.numberCount),
        numberCount: before.numberCount,
        bytes: batch.body,
        start,
        end,
      };
    });
  });
});
const windows = new EventWindows(analysisDefaults.windows);
measure('windows: record counted', (stretch) => {
  for (const event of events[stretch] ?? []) {
    const { timeMs } = event;
    if (!windows.started) windows.start(timeMs);
    else if (timeMs > windows.newestMs) windows.newer(timeMs);
    if (timeMs >= windows.nextCloseAtMs) windows.advance(windows.watermarkMs, timeMs, false);
    windows.find(timeMs)?.add(event, timeMs, classOfSeverity[event.severityNumber] as number);
  }
});
const host = {
  templateOf: (slot: number): TemplateInfo => ({ id: String(slot), text: `template ${slot}`, firstSeenMs: 0 }),
};
const analysis = new ServiceAnalysis(analysisDefaults, { service: 'shop', lane: 'live', live: true }, host);
measure('windows and detectors: record judged', (stretch) => {
  const out: Findings = { windows: [], anomalies: [], lateCount: 0, futureCount: 0 };
  for (const event of events[stretch] ?? []) analysis.observe(event, out);
  analysis.flush(stretch + 1, out);
});

const partition = new Partition(0);
let sequence = 0;
const sections: Section[] = [];
measure('the whole actor, message to section', (stretch) => {
  const timeMs = startMs + stretch * 1_000;
  for (const data of messages[stretch] ?? [])
    sections.push(partition.step({ sequence: ++sequence, timeMs, data }).section);
});
if (sections.length > 0) {
  const results = sections.map((section): ResultsMessage => {
    const to = section.sequence;
    return { partition: 0, generation: 1, from: to - 1, to, toMs: 1, anomaliesTo: 0, sections: [section], part: null };
  });
  const perStretch = sections.length / stretches;
  const resultsOf = <T>(all: readonly T[], stretch: number): T[] =>
    all.slice(stretch * perStretch, (stretch + 1) * perStretch);
  measure('worker: result packed', (stretch) => void resultsOf(results, stretch).map(encodeResults));
  const encoded = results.map(encodeResults);
  measure('storage: result read, columns of a block', (stretch) => {
    const builder = new BlockBuilder();
    for (const data of resultsOf(encoded, stretch)) {
      const message = decodeResults(data);
      for (const section of message.sections) builder.add(message, section);
    }
    builder.finish();
  });
}

if (values.json) console.log(JSON.stringify({ costs }));
else
  for (const { part, recordsPerSecond, nsPerRecord, bytesPerRecord } of costs)
    console.log(
      `${part.padEnd(44)} ${recordsPerSecond.toLocaleString('en').padStart(11)} /s ${nsPerRecord.toLocaleString('en').padStart(7)} ns ${bytesPerRecord.toLocaleString('en').padStart(8)} bytes`,
    );

function eachBody(stretch: number, visit: (bytes: Uint8Array, from: number, to: number) => void): void {
  for (const { body } of batchesOf(stretch)) {
    const cursor = new StringCursor(body);
    while (cursor.advance()) visit(body, cursor.start, cursor.end);
  }
}
