/**
 * Windows and detectors of one service: records/s, bytes allocated a record and bytes kept, on four mixes.
 * Run: node --expose-gc loadtest/bench/windows.bench.ts [records]; fails where a service keeps more than 4 MiB.
 */
import { type Findings, parseAnalysisConfig, ServiceAnalysis } from '#analysis/detectors/mod.ts';
import { blankEvent } from '../../analysis/detectors/test-stream.ts';
import { heldBytes } from '../statistics.ts';

const total = Number(process.argv[2] ?? 2_000_000);
const bodies = [
  'request 4711 served in 37 ms for user 81723 path /api/v1/orders',
  'cache refreshed with 231 entries',
  'connection to 10.0.0.7 refused',
].map((text) => Buffer.from(text));
const host = {
  templateOf: (slot: number) => ({ id: String(slot).padStart(16, '0'), text: `template ${slot} <*>`, firstSeenMs: 0 }),
};

interface Mix {
  name: string;
  config: unknown;
  /** Records per second of event time. */
  rate: number;
}
const mixes: Mix[] = [
  { name: 'defaults, 1,000/s', config: {}, rate: 1000 },
  { name: 'defaults, 10/s', config: {}, rate: 10 },
  { name: 'no sequences, 1,000/s', config: { sequences: [] }, rate: 1000 },
  {
    name: 'defaults and a pattern rule with RE2, 1,000/s',
    config: {
      rules: [
        { name: 'refused', kind: 'pattern', match: { contains: ['refused'], matches: 'to .* refused' }, value: 1000 },
      ],
    },
    rate: 1000,
  },
];

function run({ name, config, rate }: Mix): void {
  const analysis = new ServiceAnalysis(
    parseAnalysisConfig(config),
    { service: 'bench', lane: 'live', live: true },
    host,
  );
  const event = {
    ...blankEvent(),
    severityNumber: 9,
    numbers: Float64Array.of(37, 81_723),
    bytes: bodies[0] as Buffer,
  };
  const startMs = 1_700_000_000_000;
  let out: Findings = { windows: [], anomalies: [], lateCount: 0, futureCount: 0 };
  let state = 1;
  (globalThis as { gc?: () => void }).gc?.();
  const before = heldBytes();
  const allocated: number[] = [];
  let held = before;
  const from = process.threadCpuUsage();
  for (let i = 0; i < total; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const pick = state >>> 24;
    const kind = pick < 200 ? 0 : pick < 253 ? 1 : 2;
    const body = bodies[kind] as Buffer;
    event.bytes = body;
    event.end = body.length;
    event.timeMs = startMs + (i * 1000) / rate - (pick & 15) * 100;
    event.streamTimeMs = startMs + (i * 1000) / rate;
    event.sequence = 1 + (i >> 9);
    event.severityNumber = kind === 2 ? 17 : 9;
    event.templateSlot = kind === 0 ? pick & 31 : 32 + kind;
    event.isNewTemplate = i < 64;
    event.numberCount = kind === 0 ? 2 : kind === 1 ? 1 : 0;
    analysis.observe(event, out);
    if ((i & 511) === 511) {
      analysis.flush(event.sequence, out);
      if ((i & 0x1fff) === 0x1fff) {
        const living = heldBytes();
        allocated.push((living - held) / 0x2000);
        held = living;
      }
      out = { windows: [], anomalies: [], lateCount: 0, futureCount: 0 };
    }
  }
  // CPU of the thread, as other programs take from a shared core.
  const { user, system } = process.threadCpuUsage(from);
  const seconds = (user + system) / 1e6;
  (globalThis as { gc?: () => void }).gc?.();
  const kept = (heldBytes() - before) / 1024;
  // The median of stretches of 8,192 records: a collection within one hides what it took.
  const bytes = allocated.sort((a, b) => a - b)[allocated.length >> 1] ?? Number.NaN;
  if (kept > 4096) process.exitCode = 1;
  const line = `${(total / seconds / 1e6).toFixed(2)}M records/s  ${((seconds / total) * 1e9).toFixed(0)} ns/record  ${bytes.toFixed(0)} bytes/record  ${kept.toFixed(0)} KiB kept`;
  console.log(`${name.padEnd(48)} ${line}`);
}

for (const mix of mixes) run(mix);
