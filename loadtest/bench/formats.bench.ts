/**
 * Speed of the line parser by format, in lines per CPU second of one core, beside JSON.parse of the same JSON lines as
 * a yardstick for the machine. Run: node loadtest/bench/formats.bench.ts [lines per format] [--json]
 */
import { LineParser } from '#analysis/formats/mod.ts';

const makers: Record<string, (i: number) => string> = {
  json: (i) =>
    `{"timestamp":"2026-05-02T03:04:${two(i)}.${three(i)}Z","level":"info","service":"till","message":"sold loaf ${i} for ${i % 97} cents","requestId":"r-${i * 7919}","durationMs":${i % 450}}`,
  logfmt: (i) =>
    `time=2026-05-02T03:04:${two(i)}.${three(i)}Z level=info app=till msg="sold loaf ${i} for ${i % 97} cents" request=r-${i * 7919}`,
  cri: (i) =>
    `2026-05-02T03:04:${two(i)}.${three(i)}456789Z stdout F {"level":"info","message":"sold loaf ${i} for ${i % 97} cents","requestId":"r-${i * 7919}"}`,
  docker: (i) =>
    `{"log":"level=info app=till msg=\\"sold loaf ${i} for ${i % 97} cents\\" request=r-${i * 7919}\\n","stream":"stdout","time":"2026-05-02T03:04:${two(i)}.${three(i)}456789Z"}`,
  syslog3164: (i) => `May  2 03:04:${two(i)} mill-3 grinder[${i % 9999}]: stone ${i % 17} turned ${i} times in 12 s`,
  syslog5424: (i) =>
    `<165>1 2026-05-02T03:04:${two(i)}.${three(i)}Z mill grinder ${i % 9999} - - stone turned ${i} times`,
  access: (i) =>
    `192.0.2.${i % 250} - - [02/May/2026:03:04:${two(i)} +0000] "GET /bread/${i}?kind=rye HTTP/1.1" 200 ${i % 9000} "https://example.org/shop" "Browser/5.0 (X11; Linux x86_64) Engine/537.36"`,
  log4j: (i) =>
    `2026-05-02 03:04:${two(i)},${three(i)} INFO [worker-${i % 8}] org.bakery.v2.oven.OvenManager: Heated oven ${i % 31} to ${i % 280} degrees`,
  spark: (i) => `26/05/02 03:04:${two(i)} INFO bakery.OvenManager: Heated oven ${i % 31} to ${i % 280} degrees`,
  spring: (i) =>
    `2026-05-02 03:04:${two(i)}.${three(i)}  INFO 4711 --- [nio-8080-exec-${i % 9}] c.bakery.OvenController   : Door ${i % 31} opened`,
  logcat: (i) =>
    `05-02 03:04:${two(i)}.${three(i)}  1702  2395 D DoorManager: hinge=${i % 31}, wake=true, flags=0x${i}`,
  'event-log': (i) =>
    `- 17776910${two(i)} 2026.05.02 R02-M1-N0 2026-05-02-03.04.${two(i)}.678901 R02-M1-N0 RAS KERNEL INFO parity error ${i} corrected`,
  plain: (i) => `the oven number ${i % 31} was opened ${i} times by somebody today`,
};

function two(i: number): string {
  return String(i % 60).padStart(2, '0');
}

function three(i: number): string {
  return String(i % 1000).padStart(3, '0');
}

function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const count = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 100_000);
const linesPerSecond: Record<string, number> = {};
for (const [format, make] of Object.entries(makers)) {
  const lines = Array.from({ length: count }, (_, i) => Buffer.from(make(i)));
  let best = 0;
  let fits = 0;
  for (let round = 0; round < 4; round++) {
    const parser = new LineParser({ observedMs: Date.UTC(2026, 4, 3) });
    let records = 0;
    const emit = (): void => {
      records++;
    };
    const seconds = cpuSeconds(() => {
      for (const line of lines) parser.push(line, emit);
      parser.flush(emit);
    });
    best = Math.max(best, Math.round(records / seconds));
    fits = records - (format === 'plain' ? 0 : parser.counts.unparsed);
  }
  if (fits !== count) throw new Error(`${format}: ${fits} of ${count} lines were read`);
  linesPerSecond[format] = best;
  if (format === 'json') {
    const seconds = cpuSeconds(() => {
      for (const line of lines) JSON.parse(line.toString());
    });
    linesPerSecond['JSON.parse alone'] = Math.round(count / seconds);
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ linesPerSecond }));
else
  for (const [format, n] of Object.entries(linesPerSecond))
    console.log(format.padEnd(18), n.toLocaleString('en'), 'lines per CPU second');
