/** What two runs of the same input agree in: final windows and event-time anomalies, whoever ran them and whenever. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ndjson, shifted, troubledTraffic, week } from './data.ts';
import { Cluster } from './start.ts';

const one = new Cluster(1);
const three = new Cluster(3);
const files = mkdtempSync(join(tmpdir(), 'logweir-input-'));
/** Whole windows, so that a shift by days keeps them. */
const endMs = Math.floor(Date.now() / 60_000) * 60_000 - 60_000;
const lanes = { one: '', three: '', old: '' };

/** Ingests in a lane of its own; resolves to the lane. */
async function ingest(cluster: Cluster, names: readonly string[]): Promise<string> {
  const paths = names.map((name) => join(files, name));
  const { status, stdout, stderr } = await cluster.logweir(['ingest', '--json', ...paths]);
  if (status !== 0) throw new Error(stderr);
  const result = JSON.parse(stdout) as { lane: string; records: number; stored: number };
  expect(result.stored).toBe(result.records);
  return result.lane;
}

beforeAll(async () => {
  const records = troubledTraffic(31, endMs - 1_800_000);
  // Services lie in both files, one packed, so that merging and order matter.
  const even = records.filter((_, i) => i % 2 === 0);
  const odd = records.filter((_, i) => i % 2 === 1);
  writeFileSync(join(files, 'a.ndjson'), ndjson(even));
  writeFileSync(join(files, 'b.ndjson.gz'), gzipSync(ndjson(odd)));
  writeFileSync(join(files, 'old-a.ndjson'), ndjson(shifted(even, -week)));
  writeFileSync(join(files, 'old-b.ndjson.gz'), gzipSync(ndjson(shifted(odd, -week))));
  await Promise.all([one.start(), three.start()]);
  lanes.one = await ingest(one, ['a.ndjson', 'b.ndjson.gz']);
  lanes.three = await ingest(three, ['a.ndjson', 'b.ndjson.gz']);
  lanes.old = await ingest(three, ['old-a.ndjson', 'old-b.ndjson.gz']);
});
beforeEach(() => {
  one.showLogsOnFailure();
  three.showLogsOnFailure();
});
afterAll(async () => {
  await Promise.all([one.destroy(), three.destroy()]);
  rmSync(files, { recursive: true, force: true });
});

type Row = Record<string, unknown>;

const position = 'Generation, Partition, Version, LateCount';

/** Final windows of a lane, times shifted, without what depends on batching and stream time. */
function windows(cluster: Cluster, lane: string, shiftMs = 0): Promise<Row[]> {
  return cluster.rows(
    `SELECT * EXCEPT (Lane, ${position}, WindowStart, WindowEnd),
      toUnixTimestamp64Milli(WindowStart) + ${shiftMs} AS start, toUnixTimestamp64Milli(WindowEnd) + ${shiftMs} AS end
     FROM logweir.windows WHERE Lane = '${lane}' ORDER BY ServiceName, start`,
  );
}

function anomalies(cluster: Cluster, lane: string, shiftMs = 0): Promise<Row[]> {
  const ms = (column: string): string => `toUnixTimestamp64Milli(${column}) + ${shiftMs}`;
  return cluster.rows(
    `SELECT ServiceName, Detector, Subject, ${ms('WindowStart')} AS start, ${ms('WindowEnd')} AS end,
      ${ms('DetectedAt')} AS decided, ${ms('ReceiptEvent')} AS event, Score, Actual, Typical, Description, Influencers,
      Samples, Revised
     FROM logweir.anomalies WHERE Lane = '${lane}' ORDER BY ServiceName, Detector, Subject, start`,
  );
}

function templates(cluster: Cluster, lane: string, shiftMs = 0): Promise<Row[]> {
  return cluster.rows(
    `SELECT ServiceName, TemplateId, Template, toUnixTimestamp64Milli(FirstSeen) + ${shiftMs} AS first,
      toUnixTimestamp64Milli(LastSeen) + ${shiftMs} AS last, Count, MergedInto, Category, SeverityText
     FROM logweir.templates WHERE Lane = '${lane}' ORDER BY ServiceName, TemplateId`,
  );
}

describe('one worker and three', () => {
  it('give the same final windows', async () => {
    const expected = await windows(one, lanes.one);
    expect(expected.length).toBeGreaterThan(200);
    expect(await windows(three, lanes.three)).toEqual(expected);
  });

  it('find the same anomalies with the same scores', async () => {
    const expected = await anomalies(one, lanes.one);
    expect(expected.length).toBeGreaterThan(3);
    expect(await anomalies(three, lanes.three)).toEqual(expected);
  });

  it('mine the same templates', async () => {
    const expected = await templates(one, lanes.one);
    expect(expected.length).toBeGreaterThan(30);
    expect(await templates(three, lanes.three)).toEqual(expected);
  });
});

describe('a file that is a week old', () => {
  it('is analysed as if it were fresh', async () => {
    expect(await windows(three, lanes.old, week)).toEqual(await windows(three, lanes.three));
    expect(await anomalies(three, lanes.old, week)).toEqual(await anomalies(three, lanes.three));
    expect(await templates(three, lanes.old, week)).toEqual(await templates(three, lanes.three));
  });
});
