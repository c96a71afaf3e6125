/**
 * Accuracy and speed of the keyed-sequence detector on one core:
 * `node loadtest/bench/sequences.bench.ts [--json] [--keys 5000] [--seeds 6]`.
 *
 * Made-up worlds, one a seed: raw lines of flows with branches, loops and steps side by side, a deploy half-way, and 3 %
 * of the keys with a fault of seven kinds. `at once` counts the first verdict on each key, told when it was over;
 * `in the end` the last one. Times are CPU time of the process.
 */
import { KeyedSequenceDetector, type SequenceVerdict } from '#analysis/detectors/mod.ts';
import { faultKinds, sequenceWorld } from '../../analysis/detectors/sequences/world.fixture.ts';

const argument = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const keys = argument('keys', 5000);
const seeds = argument('seeds', 6);

interface Row {
  seed: number;
  lines: number;
  faults: number;
  f1AtOnce: number;
  f1InTheEnd: number;
  precision: number;
  recall: number;
  falseAlarms: number;
  linesPerSecond: number;
}
const rows: Row[] = [];
const found = new Map<string, { faults: number; hits: number }>(
  faultKinds.map((kind) => [kind, { faults: 0, hits: 0 }]),
);

for (let seed = 1; seed <= seeds; seed++) {
  const { lines, key, truth } = sequenceWorld(seed, { keys });
  const first = new Map<string, SequenceVerdict>();
  const last = new Map<string, SequenceVerdict>();
  const take = (verdicts: readonly SequenceVerdict[]): void => {
    for (const verdict of verdicts) {
      if (!first.has(verdict.key)) first.set(verdict.key, verdict);
      last.set(verdict.key, verdict);
    }
  };
  const detector = new KeyedSequenceDetector({ key });
  const before = process.cpuUsage();
  for (const line of lines) take(detector.line(line));
  take(detector.end());
  const used = process.cpuUsage(before);
  const counted = (
    verdicts: ReadonlyMap<string, SequenceVerdict>,
  ): { hits: number; alarms: number; faults: number } => {
    let [hits, alarms, faults] = [0, 0, 0];
    for (const [name, fault] of truth) {
      const isOdd = verdicts.get(name)?.anomalous === true;
      if (fault !== undefined) faults++;
      if (isOdd) alarms++;
      if (isOdd && fault !== undefined) hits++;
    }
    return { hits, alarms, faults };
  };
  const f1 = ({ hits, alarms, faults }: ReturnType<typeof counted>): number => rounded((2 * hits) / (alarms + faults));
  const end = counted(last);
  for (const [name, fault] of truth) {
    const kind = fault === undefined ? undefined : found.get(fault);
    if (kind === undefined) continue;
    kind.faults++;
    if (last.get(name)?.anomalous === true) kind.hits++;
  }
  rows.push({
    seed,
    lines: lines.length,
    faults: end.faults,
    f1AtOnce: f1(counted(first)),
    f1InTheEnd: f1(end),
    precision: rounded(end.hits / Math.max(1, end.alarms)),
    recall: rounded(end.hits / Math.max(1, end.faults)),
    falseAlarms: end.alarms - end.hits,
    linesPerSecond: Math.round((lines.length * 1e6) / (used.user + used.system)),
  });
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

const kinds = [...found].map(([kind, { faults, hits }]) => ({
  kind,
  faults,
  found: rounded(hits / Math.max(1, faults)),
}));
if (process.argv.includes('--json')) console.log(JSON.stringify({ rows, kinds }));
else {
  console.table(rows);
  console.table(kinds);
}
