/**
 * What the parsing pipeline costs: CPU ns a record at the gateway, by step, over records as a receiver hands them over (views), and
 * what reading the same lines costs without it. Run: node loadtest/bench/pipeline.bench.ts [records] [--json]
 */
import { LineParser, type ParsedRecord } from '#analysis/formats/mod.ts';
import { Gate, openPipeline } from '#ingest/pipeline/mod.ts';
import { RecordView, viewOf } from '#protocol/mod.ts';

const count = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 50_000);
const rounds = 5;

const line = (i: number): string =>
  `2026-05-02T03:04:${String(i % 60).padStart(2, '0')}.${String(i % 1000).padStart(3, '0')}Z INFO [till-${i % 8}] o-${i} sold loaf ${i % 97} for ${i % 450} cents to customer ${i * 7919} at 192.0.2.${i % 250}`;
const secret = (i: number): string => `login of baker${i}@example.org with password=rye${i} from till ${i % 9}`;

const custom =
  '^%{TIMESTAMP_ISO8601:timestamp} %{LOGLEVEL:level} \\[%{DATA:thread.name}\\] %{NOTSPACE:order.id} %{GREEDYDATA:message}';
const sections: Record<string, unknown[]> = {
  'no step applies (when: service)': [{ when: { service: 'other' }, drop: true }],
  'drop by severity': [{ when: { severityMax: 'DEBUG' }, drop: true }],
  'drop by a pattern that does not fit': [{ when: { body: '^GET /healthz' }, drop: true }],
  'sample by trace, all kept': [{ sample: 1 }],
  'redact: tokens, passwords, cards, emails': [{ redact: true }],
  'redact: all kinds': [{ redact: ['tokens', 'passwords', 'cards', 'emails', 'ips', 'phones'] }],
  'map: set, move': [{ map: { move: { 'thread.name': 'thread' }, set: { team: 'bakers' } } }],
  'timestamp: zone': [{ timestamp: { zone: 'Europe/Berlin' } }],
  'parse: own format of 5 fields': [{ parse: custom }],
  'parse: own format that does not fit': [{ parse: '^x%{IP:client} %{GREEDYDATA:message}' }],
  'parse: third of three formats fits': [{ parse: ['^%{COMBINEDAPACHELOG}$', '^%{SYSLOGLINE}$', custom] }],
  'kv of the body': [{ kv: true }],
  'a whole pipeline of 6 steps': [
    { redact: true },
    { parse: custom },
    { timestamp: { zone: 'Europe/Berlin' } },
    { map: { set: { team: 'bakers' } } },
    { when: { body: 'healthy' }, drop: true },
    { sample: 1 },
  ],
};

interface Parsed {
  view: RecordView;
  raw: ParsedRecord['raw'];
}

function parsed(text: (i: number) => string): Parsed[] {
  const parser = new LineParser({ observedMs: Date.UTC(2026, 4, 3), keepRaw: true });
  const found: Parsed[] = [];
  const emit = (record: ParsedRecord): void =>
    void found.push({ view: viewOf(record, { observedMs: 0, service: 'till' }, new RecordView()), raw: record.raw });
  for (let i = 0; i < count; i++) parser.push(text(i), emit);
  parser.flush(emit);
  return found;
}

/** Least of some rounds, ns a record. */
function cost(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1_000) / count);
  }
  return Math.round(best);
}

const lines = parsed(line);
const secrets = parsed(secret);
const source = { receiver: 'ingest', place: '', file: '', line: 0, nowMs: Date.UTC(2026, 4, 3), serviceGiven: false };
const nsPerRecord: Record<string, number> = {};
const measure = (name: string, steps: unknown[] | null, records: readonly Parsed[]): void => {
  const gate = new Gate(steps === null ? null : openPipeline({ steps }, '.'));
  let on = 0;
  nsPerRecord[name] = cost(() => {
    for (const { view, raw } of records) if (gate.passView(view, source, raw ?? null) !== null) on++;
  });
  if (on === 0) throw new Error(`${name}: nothing went on`);
};

nsPerRecord['reading the lines, without a pipeline'] = cost(() => void parsed(line));
measure('no pipeline', null, lines);
for (const [name, steps] of Object.entries(sections)) measure(name, steps, lines);
measure('redact: e-mail and password found', [{ redact: true }], secrets);
measure('redact: the same, by keyed hash', [{ redact: { replace: 'hash', key: 'a key of the bench' } }], secrets);

if (process.argv.includes('--json')) console.log(JSON.stringify({ records: count, nsPerRecord }));
else
  for (const [name, ns] of Object.entries(nsPerRecord))
    console.log(name.padEnd(42), ns.toLocaleString('en').padStart(8), 'ns of CPU a record');
