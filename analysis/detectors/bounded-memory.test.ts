import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { parseAnalysisConfig, ServiceAnalysis } from './mod.ts';
import { blankEvent, emptyFindings } from './test-stream.ts';

const records = 10_000_000;
const startMs = Date.UTC(2026, 0, 15, 12);
const recordsPerSecond = 1_000;
const keptBytesMax = 4 * 1024 * 1024;
const grownBytesMax = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What lives, buffers of typed arrays included. */
function livingBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('keeps windows and detectors of a service in bounded memory over ten million records', { timeout: 600_000 }, () => {
  const host = { templateOf: (slot: number) => ({ id: `${slot}`, text: `template ${slot}`, firstSeenMs: 0 }) };
  const identity = { service: 'shop', lane: 'live', live: true };
  const bytes = Buffer.from('request 4711 served in 37 ms for user 81723');
  const trace = { bytes: Buffer.alloc(32, 'a'), start: 0, end: 32 };
  const event = {
    ...blankEvent(),
    severityNumber: 9,
    numbers: Float64Array.of(37, 81_723),
    numberCount: 2,
    bytes,
    end: bytes.length,
    trace,
  };
  const before = livingBytes();
  const analysis = new ServiceAnalysis(parseAnalysisConfig({}), identity, host);
  let [state, windows, halfway] = [1, 0, 0];
  let out = emptyFindings();
  for (let i = 0; i < records; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const nowMs = startMs + (i * 1_000) / recordsPerSecond;
    event.templateSlot = state >>> 25;
    event.isNewTemplate = i < 128;
    event.severityNumber = (state & 0xff00) === 0 ? 17 : 9;
    event.numbers[0] = 20 + ((state >>> 8) & 63);
    // Out of order by three seconds at most, one in a thousand far too late.
    event.timeMs = nowMs - (i % 1_000 === 999 ? 20 * 60_000 : (state >>> 16) % 3_000);
    event.streamTimeMs = nowMs;
    event.sequence = 1 + (i >> 9);
    // A new trace every few records.
    trace.bytes.writeUInt32LE(i >>> 2, 0);
    analysis.observe(event, out);
    if ((i & 511) === 511) {
      analysis.flush(event.sequence, out);
      windows += out.windows.length;
      out = emptyFindings();
    }
    if (i === records / 2) halfway = livingBytes();
  }
  const end = livingBytes();
  expect(windows).toBeGreaterThan(0);
  expect(end - before).toBeLessThan(keptBytesMax);
  expect(end - halfway).toBeLessThan(grownBytesMax);
  // It must live until it was weighed.
  expect(analysis.times().length).toBeGreaterThan(0);
});
