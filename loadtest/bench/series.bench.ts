/**
 * Speed and memory of the series detector on one core: `node --expose-gc loadtest/bench/series.bench.ts [--json]`.
 *
 * A made-up series with a daily wave and spikes. Times are CPU time of the thread, best of three rounds; the first
 * 5,000 rows, in which the past is still filling, are not counted.
 */
import { SeriesDetector } from '#analysis/detectors/mod.ts';

const rows = 50_000;
const filledAfter = 5000;
const stepMs = 300_000;

let state = 12345;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 4294967296;
};
const values = Float64Array.from(
  { length: rows },
  (_, row) => 50 + 20 * Math.sin((row * 2 * Math.PI) / 288) + 5 * random() + (random() < 0.001 ? 100 * random() : 0),
);

let seconds = Infinity;
for (let round = 0; round < 3; round++) {
  const detector = new SeriesDetector();
  for (let row = 0; row < filledAfter; row++) detector.observe(row * stepMs, values[row] as number);
  const before = process.threadCpuUsage();
  for (let row = filledAfter; row < rows; row++) detector.observe(row * stepMs, values[row] as number);
  const used = process.threadCpuUsage(before);
  seconds = Math.min(seconds, (used.user + used.system) / 1e6);
}

const detectors: SeriesDetector[] = [];
globalThis.gc?.();
const heapBefore = process.memoryUsage();
for (let i = 0; i < 20; i++) {
  const detector = new SeriesDetector();
  for (let row = 0; row < filledAfter; row++) detector.observe(row * stepMs, values[row] as number);
  detectors.push(detector);
}
globalThis.gc?.();
const heap = process.memoryUsage();
const bytes = heap.heapUsed + heap.arrayBuffers - heapBefore.heapUsed - heapBefore.arrayBuffers;
const result = {
  rowsPerSecond: Math.round((rows - filledAfter) / seconds),
  nsPerRow: Math.round((seconds * 1e9) / (rows - filledAfter)),
  kibPerSeries: globalThis.gc === undefined ? null : Math.round(bytes / 1024 / detectors.length),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else console.table([result]);
