/**
 * Speed of template mining on one core: `node loadtest/bench/templates.bench.ts [--json]`.
 *
 * Three made-up corpora: `repetitive`, where masked lines repeat as in most production logs; `names`, where one word in a
 * third of the lines is new each time, so that the memo helps little; and `prose`, five words that nobody has seen
 * before in every line, the worst that a client can send. Times are CPU time of the thread, best of several rounds.
 */
import { TemplateMiner } from '#analysis/templates/mod.ts';

interface Result {
  corpus: string;
  lines: number;
  bytesPerLine: number;
  templates: number;
  linesPerSecond: number;
  nsPerLine: number;
}

let state = 12345;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 4294967296;
};
const int = (max: number): number => Math.floor(random() * max);
const hex = (digits: number): string => Array.from({ length: digits }, () => int(16).toString(16)).join('');
const word = (): string => Array.from({ length: 4 + int(5) }, () => String.fromCharCode(97 + int(26))).join('');

const repetitive: (() => string)[] = [
  () => `order ${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)} accepted in ${int(900)} ms`,
  () => `GET /api/v2/items/${int(99999)} status=200 bytes=${int(99999)} took=${int(800)}ms`,
  () => `Received packet ${int(1e6)} of size ${int(65536)} from 10.${int(256)}.${int(256)}.${int(256)}:${int(60000)}`,
  () => `cache miss for key=${hex(12)} shard=${int(16)} ttl=${int(600)}s`,
  () => `connection to 10.${int(256)}.${int(256)}.${int(256)}:${int(60000)} closed by peer after ${int(300)} seconds`,
  () => 'garbage collection finished',
  () => `worker-${int(64)} finished task ${int(1e6)} in stage ${int(40)}.${int(4)} (TID ${int(1e6)})`,
  () =>
    `[instance: ${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}] total memory: ${int(65536)} MB, used: ${int(65536)}.00 MB`,
];
const names: (() => string)[] = [
  ...repetitive.slice(0, 4),
  () => `session opened for user ${word()} by uid=${int(99)}`,
  () => `host ${word()} joined`,
];

const prose: (() => string)[] = [() => [word(), word(), word(), word(), word()].join(' ')];

function corpusOf(makers: (() => string)[], lines: number): { bytes: Uint8Array; ends: Uint32Array } {
  const ends = new Uint32Array(lines);
  const parts: string[] = [];
  let at = 0;
  for (let i = 0; i < lines; i++) {
    const line = makers[int(makers.length)]!();
    parts.push(line);
    at += line.length;
    ends[i] = at;
  }
  return { bytes: new TextEncoder().encode(parts.join('')), ends };
}

/** CPU time of this thread in seconds. */
function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

function measure(corpus: string, makers: (() => string)[], lines = 200_000): Result {
  const { bytes, ends } = corpusOf(makers, lines);
  const best = { seconds: Number.POSITIVE_INFINITY, templates: 0 };
  for (let round = 0; round < 15; round++) {
    const miner = new TemplateMiner();
    const started = cpuSeconds();
    let from = 0;
    for (let i = 0; i < lines; i++) {
      const to = ends[i]!;
      miner.mine(bytes, from, to, i);
      from = to;
    }
    best.seconds = Math.min(best.seconds, cpuSeconds() - started);
    best.templates = miner.size;
  }
  return {
    corpus,
    lines,
    bytesPerLine: Math.round(bytes.length / lines),
    templates: best.templates,
    linesPerSecond: Math.round(lines / best.seconds),
    nsPerLine: Math.round((best.seconds / lines) * 1e9),
  };
}

const results = [measure('repetitive', repetitive), measure('names', names), measure('prose', prose, 10_000)];
if (process.argv.includes('--json')) console.log(JSON.stringify({ title: 'template mining, one core', rows: results }));
else {
  for (const r of results) {
    console.log(
      `${r.corpus.padEnd(12)} ${r.linesPerSecond.toLocaleString('en')} lines/s, ${r.nsPerLine} ns/line (${r.bytesPerLine} bytes, ${r.templates} slots)`,
    );
  }
}
