/** Seeded corpora of our own wording, with known templates, for tests. */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Corpus {
  lines: string[];
  /** The true template's number for each line. */
  truth: number[];
}

type Part = (random: () => number) => string;

const int =
  (max: number): Part =>
  (r) =>
    String(Math.floor(r() * max));
const hex =
  (digits: number): Part =>
  (r) =>
    Array.from({ length: digits }, () => Math.floor(r() * 16).toString(16)).join('');
const pick =
  (...values: string[]): Part =>
  (r) =>
    values[Math.floor(r() * values.length)]!;
const ip: Part = (r) => `10.${int(256)(r)}.${int(256)(r)}.${int(256)(r)}`;
const uuid: Part = (r) => [8, 4, 4, 4, 12].map((n) => hex(n)(r)).join('-');
const person = pick('ada', 'brook', 'carl', 'dora', 'emil', 'fritz', 'gwen', 'hugo', 'iris', 'jonas', 'kira', 'lena');
const host = pick('alder', 'birch', 'cedar', 'elm', 'fir', 'hazel', 'larch', 'maple', 'oak', 'pine', 'rowan', 'spruce');
const file = (r: () => number): string => `/srv/${host(r)}/${person(r)}/${hex(6)(r)}.dat`;
const clock = (r: () => number): string =>
  `${10 + Math.floor(r() * 14)}:${10 + Math.floor(r() * 50)}:${10 + Math.floor(r() * 50)}.${int(1000)(r)}`;

/** Templates of a shop: ids, amounts, addresses, durations. */
const shop: Part[] = [
  (r) => `order ${uuid(r)} accepted in ${int(900)(r)} ms`,
  (r) => `order ${uuid(r)} rejected: stock of item ${int(9000)(r)} is empty`,
  (r) => `user ${person(r)} logged in from ${ip(r)}`,
  (r) => `user ${person(r)} logged out after ${int(5000)(r)} seconds`,
  (r) => `connection to ${ip(r)}:${int(60000)(r)} refused`,
  (r) => `connection to ${ip(r)}:${int(60000)(r)} closed by peer`,
  (r) => `GET ${file(r)} status=${pick('200', '404', '500')(r)} bytes=${int(99999)(r)} took=${int(800)(r)}ms`,
  (r) => `cache miss for key=${person(r)} shard=${int(16)(r)} ttl=${int(600)(r)}s`,
  (r) => `replica ${host(r)} is behind its leader by ${int(400)(r)} entries`,
  (r) => `rebuilding index ${person(r)}_${int(40)(r)}`,
  () => 'garbage collection finished',
  () => 'configuration reloaded',
  (r) => `worker started at ${clock(r)}`,
  (r) => `worker stopped at ${clock(r)}`,
  (r) => `disk ${file(r)} is ${int(100)(r)}% full`,
  (r) => `heartbeat 0x${hex(8)(r)} sent`,
  (r) => `loaded [${Array.from({ length: 1 + Math.floor(r() * 5) }, () => int(99)(r)).join(', ')}] partitions`,
  (r) =>
    `retry=${pick('true', 'false')(r)} reason="${pick('slow reply', 'lost packet', 'no route')(r)}" peer=${host(r)}`,
  (r) => `mail to ${person(r)}@${host(r)}.example queued as ${hex(10)(r)}7`,
  (r) => `payment ${uuid(r)} failed: gateway answered ${int(600)(r)}`,
];

/** Templates of machines: states out of short lists, which are part of the message, beside names, which are not. */
const machines: Part[] = [
  () => 'fan tray is absent',
  () => 'fan tray is present',
  (r) => `link eth${int(8)(r)} is up at ${pick('10', '100', '1000')(r)} Mbit`,
  (r) => `link eth${int(8)(r)} is down`,
  (r) => `node ${host(r)} joined the ring next to ${host(r)}`,
  (r) => `node ${host(r)} left the ring`,
  (r) => `volume ${host(r)}.data.local:${int(9000)(r)} mounted on /mnt/${person(r)}`,
  (r) => `unit ${uuid(r)} changed from STARTING to RUNNING`,
  (r) => `unit ${uuid(r)} changed from RUNNING to STOPPED`,
  (r) => `unit ${uuid(r)} changed from RUNNING to FAILED`,
  (r) => `unit ${uuid(r)} changed from FAILED to STARTING`,
  (r) => `denied login for invalid account ${person(r)} from ${ip(r)} port ${int(60000)(r)}`,
  (r) =>
    `clock moved by ${int(50)(r)}.${int(1000)(r)} s on ${pick('Mon', 'Tue', 'Sun')(r)} ${pick('Jan', 'May')(r)} ${int(28)(r)} ${clock(r)}`,
  (r) => `core dump of ${pick('indexer', 'scrubber')(r)} written, reading next`,
  (r) => `sensor ${int(64)(r)}: temperature ${int(90)(r)}C, limit <${int(20)(r) + 70} s`,
  (r) => `address fe80::${hex(4)(r)}:${hex(4)(r)}:1 assigned to 0${hex(1)(r)}:1a:2b:3c:4d:${hex(2)(r)}`,
  () => 'self test passed',
  () => 'self test failed',
  (r) => `wrote ${int(900)(r)} ${pick('KB', 'MB', 'GB')(r)} to the journal`,
];

/** Templates of services: JSON, logfmt, traces, class names. */
const services: Part[] = [
  (r) => `{"event":"basket updated","user":"${person(r)}","items":${int(20)(r)},"ok":${pick('true', 'false')(r)}}`,
  (r) => `{"event":"basket cleared","user":"${person(r)}","items":0,"ok":true}`,
  (r) => `level=info msg="job done" job=${person(r)} took=${int(90)(r)}s`,
  (r) => `level=warn job=${person(r)} attempt=${int(5)(r)}`,
  (r) => `loading module com.acme.${person(r)}.${host(r)}.Main`,
  (r) => `bean com.acme.${person(r)}.Bean replaced by com.acme.${host(r)}.Bean`,
  (r) => `${ip(r)} "GET /items/${int(999)(r)}?page=${int(9)(r)} HTTP/1.1" ${pick('200', '304')(r)} ${int(9999)(r)}`,
  (r) => `${ip(r)} "POST /orders HTTP/1.1" 201 ${int(9999)(r)}`,
  (r) => `calling https://${host(r)}.example.org/v1/${person(r)}?x=${int(9)(r)} failed`,
  (r) =>
    `com.acme.StoreError: cannot read page ${int(900)(r)}\n\tat com.acme.Page.read(Page.java:${int(90)(r)})${Array.from({ length: int(4)(r).charCodeAt(0) - 48 }, () => `\n\tat com.acme.Deep.call(Deep.java:${int(90)(r)})`).join('')}\nCaused by: com.acme.DiskError: sector ${int(99)(r)}\n\t... 4 more`,
  (r) => `Traceback (most recent call last):\n  File "job.py", line ${int(90)(r)}, in run\nKeyError: '${person(r)}'`,
  (r) => `token=${hex(16)(r)} scope= user=${person(r)}`,
  (r) => `pool stats: p50=${int(9)(r)}ms p99=${int(99)(r)}ms waiting=${int(9)(r)}`,
];

export const makersOf = { shop, machines, services };

/** Lines of one corpus, its first templates more often, as in life. */
export function corpusOf(name: keyof typeof makersOf, seed: number, size: number): Corpus {
  const makers = makersOf[name];
  const random = seeded(seed);
  const lines: string[] = [];
  const truth: number[] = [];
  for (let i = 0; i < size; i++) {
    const which = Math.floor((random() * 0.5 + random() * random() * 0.5) * makers.length);
    lines.push(makers[which]!(random));
    truth.push(which);
  }
  return { lines, truth };
}

/** Lines that nobody would write: binary, broken UTF-8, all kinds of marks, long words, few and many lines. */
export function wildLine(random: () => number): Uint8Array {
  const kind = Math.floor(random() * 5);
  const size = Math.floor(random() * (kind === 0 ? 3000 : 80));
  const alphabet = ['=:,()[]{}<>"\'|. -/\\@#%*_ab1\n\t', 'abc   ', '0123456789abcdef:.-', 'xyz=1, '][kind - 1];
  return Uint8Array.from({ length: size }, () =>
    alphabet === undefined ? Math.floor(random() * 256) : alphabet.charCodeAt(Math.floor(random() * alphabet.length)),
  );
}

/** Share of lines whose group is exactly their true group. */
export function groupingAccuracy(truth: readonly number[], found: readonly string[]): number {
  const sizes = new Map<string, number>();
  const count = (key: string): void => void sizes.set(key, (sizes.get(key) ?? 0) + 1);
  truth.forEach((t, i) => {
    count(`t${t}`);
    count(`f${found[i]}`);
    count(`${t} ${found[i]}`);
  });
  const right = truth.filter((t, i) => {
    const both = sizes.get(`${t} ${found[i]}`);
    return both === sizes.get(`t${t}`) && both === sizes.get(`f${found[i]}`);
  });
  return right.length / truth.length;
}
