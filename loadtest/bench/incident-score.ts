/** Runs a scenario through a partition, as a worker would, and compares what it finds with what was injected. */
import { BatchBuilder, encodeLogsMessage, RecordView, viewOf, type Anomaly } from '../../protocol/mod.ts';
import { type Arrival, type FaultKind, faultKinds, findingOf } from '../../generator/mod.ts';
import { Partition } from '../../workers/mod.ts';

export interface KindScore {
  injected: number;
  found: number;
  /** From the beginning of a fault to the event time of the decision, and to the moment at which it was told. */
  delaysMs: number[];
  toldMs: number[];
  /** When the faults found could be known at all, and how much later they were; of kinds for which it is worked out. */
  knowableMs: number[];
  beyondMs: number[];
}
export interface Score {
  kinds: Record<string, KindScore>;
  /** Anomalies that no fault explains, by detector. */
  falseAlarms: Record<string, number>;
  /** Right time and service, wrong name: "kind → name". */
  confusions: Record<string, number>;
  /** More than one anomaly for a fault. */
  repeats: number;
  serviceDays: number;
  records: number;
  seconds: number;
}

export interface LabelledFault {
  kind: FaultKind;
  service: string;
  fromMs: number;
  toMs: number;
  strength: number;
  knowableMs?: number | null;
}

/** Records in order of arrival, and what was done to the services that wrote them. */
export interface LabelledWorld {
  fromMs: number;
  toMs: number;
  worlds: readonly { name: string; rate: number; mute: boolean; skewMs: number; about?: string }[];
  faults: readonly LabelledFault[];
  arrivals(): Iterable<Arrival[]>;
}

const noScore = (): KindScore => ({
  injected: 0,
  found: 0,
  delaysMs: [],
  toldMs: [],
  knowableMs: [],
  beyondMs: [],
});
const seconds1 = (ms: number): string => (ms / 1_000).toFixed(1);

/** A fault may be found until this long after it ended. */
const graceMs = 60_000;

export function scoreRun(scenario: LabelledWorld, seed: number, note: (line: string) => void): Score {
  const { anomalies, toldAtMs, records, seconds } = run(scenario);
  const kinds = Object.fromEntries(faultKinds.map((kind) => [kind, noScore()]));
  const score: Score = {
    kinds,
    falseAlarms: {},
    confusions: {},
    repeats: 0,
    serviceDays: (scenario.worlds.length * (scenario.toMs - scenario.fromMs)) / 86_400_000,
    records,
    seconds,
  };
  const skew = new Map(scenario.worlds.map(({ name, skewMs }) => [name, skewMs]));
  const taken = new Map<LabelledFault, Anomaly>();
  const clock = (ms: number): string => new Date(ms).toISOString().slice(5, 19);
  const count = (into: Record<string, number>, key: string): void => void (into[key] = (into[key] ?? 0) + 1);
  for (const anomaly of anomalies) {
    const atMs = anomaly.decidedAtMs - (skew.get(anomaly.service) ?? 0);
    const near = scenario.faults.filter(
      (fault) => fault.service === anomaly.service && atMs >= fault.fromMs - 1_000 && atMs <= fault.toMs + graceMs,
    );
    const right = near.find((fault) => findingOf(fault.kind) === anomaly.detector);
    if (right !== undefined && !taken.has(right)) {
      taken.set(right, anomaly);
      continue;
    }
    if (right !== undefined) score.repeats++;
    const other = near[0];
    if (other === undefined) count(score.falseAlarms, anomaly.detector);
    else count(score.confusions, `${other.kind} → ${anomaly.detector}`);
    note(
      `seed ${seed} ${right ? 'REPEAT' : other ? `CONFUSED ${other.kind}` : 'FALSE'} ${anomaly.detector} ${clock(anomaly.startMs)}–${clock(anomaly.decidedAtMs)} ${anomaly.service} score ${anomaly.score}: ${anomaly.description}`,
    );
  }
  for (const fault of scenario.faults) {
    const kind = kinds[fault.kind] as KindScore;
    kind.injected++;
    const found = taken.get(fault);
    if (found !== undefined) {
      kind.found++;
      const delayMs = found.decidedAtMs - (skew.get(fault.service) ?? 0) - fault.fromMs;
      const told = (toldAtMs.get(found.anomalyId) as number) - fault.fromMs;
      kind.delaysMs.push(delayMs);
      kind.toldMs.push(told);
      const knowable = fault.knowableMs ?? null;
      if (knowable !== null) {
        kind.knowableMs.push(knowable);
        kind.beyondMs.push(Math.max(0, delayMs - knowable));
      }
      note(
        `seed ${seed} found ${fault.kind} after ${seconds1(delayMs)} s, told after ${seconds1(told)} s${knowable === null ? '' : `, knowable after ${seconds1(knowable)} s`}`,
      );
      continue;
    }
    const world = scenario.worlds.find(({ name }) => name === fault.service);
    note(
      `seed ${seed} MISSED ${fault.kind} ${clock(fault.fromMs)}–${clock(fault.toMs)} ${fault.service} rate ${world?.rate.toFixed(2)}${world?.mute ? ' mute' : ''} strength ${fault.strength.toFixed(3)}; ${world?.about ?? ''}`,
    );
  }
  return score;
}

/** Final versions of what a partition finds, in order of opening. */
function run(scenario: LabelledWorld): {
  anomalies: Anomaly[];
  /** By id: stream time of the message at which it was told first. */
  toldAtMs: Map<string, number>;
  records: number;
  seconds: number;
} {
  const partition = new Partition(0);
  const builder = new BatchBuilder('live', 'bench');
  const view = new RecordView();
  const found = new Map<string, Anomaly>();
  const toldAtMs = new Map<string, number>();
  let sequence = 0;
  let records = 0;
  let spent = 0;
  const send = (timeMs: number, data: Uint8Array): void => {
    const from = performance.now();
    for (const anomaly of partition.step({ sequence: ++sequence, timeMs, data }).section.anomalies) {
      found.set(anomaly.anomalyId, anomaly);
      if (!toldAtMs.has(anomaly.anomalyId)) toldAtMs.set(anomaly.anomalyId, timeMs);
    }
    spent += performance.now() - from;
  };
  const tick = encodeLogsMessage({ kind: 'tick' });
  let nextTickMs = scenario.fromMs;
  let nowMs = scenario.fromMs;
  const flush = (): void => {
    const batch = builder.take();
    if (batch !== null) send(nowMs, encodeLogsMessage({ kind: 'batch', batch }));
  };
  const passTo = (timeMs: number): void => {
    // The end of the world is no silence.
    for (; nextTickMs <= Math.min(timeMs, scenario.toMs); nextTickMs += 1_000) {
      flush();
      send(nextTickMs, tick);
    }
  };
  for (const step of scenario.arrivals()) {
    for (const { arrivalMs, record } of step) {
      passTo(arrivalMs);
      nowMs = arrivalMs;
      builder.add(viewOf(record, { observedMs: arrivalMs, service: record.service }, view), arrivalMs);
      records++;
      if (builder.rows >= 1_000) flush();
    }
  }
  flush();
  return { anomalies: [...found.values()], toldAtMs, records, seconds: spent / 1_000 };
}

export function total(scores: readonly Score[]): Score {
  const sum: Score = { kinds: {}, falseAlarms: {}, confusions: {}, repeats: 0, serviceDays: 0, records: 0, seconds: 0 };
  for (const score of scores) {
    for (const [kind, one] of Object.entries(score.kinds)) {
      const into = (sum.kinds[kind] ??= noScore());
      into.injected += one.injected;
      into.found += one.found;
      for (const key of ['delaysMs', 'toldMs', 'knowableMs', 'beyondMs'] as const) into[key].push(...one[key]);
    }
    for (const key of ['falseAlarms', 'confusions'] as const)
      for (const [name, count] of Object.entries(score[key])) sum[key][name] = (sum[key][name] ?? 0) + count;
    sum.repeats += score.repeats;
    sum.serviceDays += score.serviceDays;
    sum.records += score.records;
    sum.seconds += score.seconds;
  }
  return sum;
}

/** Median and 90th percentile, s. */
function quantiles(valuesMs: readonly number[]): string {
  if (valuesMs.length === 0) return '         –';
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (q: number): string => ((sorted[Math.floor(q * (sorted.length - 1))] as number) / 1_000).toFixed(0);
  return `${at(0.5).padStart(5)} ${at(0.9).padStart(4)}`;
}

export function summarise({ incidents, quiet }: { incidents: Score; quiet: Score }): string {
  const lines: string[] = [];
  const all = (score: Score, key: 'falseAlarms' | 'confusions'): number =>
    Object.values(score[key]).reduce((sum, count) => sum + count, 0);
  const named = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort((a, b) => b[1] - a[1])
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  if (incidents.serviceDays > 0) {
    lines.push(
      'seconds: delay in event time, until it was told, until it can be known at all, and delay beyond that (p50, p90); found within 30',
      'kind                injected  found  recall    delay       told   knowable     beyond  within 30',
    );
    let injected = 0;
    let found = 0;
    for (const [kind, one] of Object.entries(incidents.kinds)) {
      const { injected: n, found: hits } = one;
      if (n === 0) continue;
      injected += n;
      found += hits;
      const pairs = [one.delaysMs, one.toldMs, one.knowableMs, one.beyondMs].map(quantiles).join(' ');
      const soon = one.delaysMs.filter((delayMs) => delayMs <= 30_000).length;
      lines.push(
        `${kind.padEnd(19)} ${String(n).padStart(8)} ${String(hits).padStart(6)} ${(hits / n).toFixed(2).padStart(7)} ${pairs} ${String(soon).padStart(6)}`,
      );
    }
    const wrong = all(incidents, 'falseAlarms') + all(incidents, 'confusions');
    const precision = found / Math.max(1, found + wrong);
    const recall = found / Math.max(1, injected);
    lines.push(
      `all: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}, F1 ${((2 * precision * recall) / (precision + recall || 1)).toFixed(3)}`,
      `false alarms: ${named(incidents.falseAlarms)} (${(all(incidents, 'falseAlarms') / incidents.serviceDays).toFixed(2)} per service and day)`,
      `wrong names and repeats: ${named(incidents.confusions)}`,
    );
  }
  if (quiet.serviceDays > 0)
    lines.push(
      `quiet worlds: ${quiet.serviceDays.toFixed(0)} service days, false alarms: ${named(quiet.falseAlarms)} (${(all(quiet, 'falseAlarms') / quiet.serviceDays).toFixed(2)} per service and day)`,
    );
  const records = incidents.records + quiet.records;
  const seconds = incidents.seconds + quiet.seconds;
  lines.push(`${records} records, ${Math.round(records / seconds)} per second`);
  return `${lines.join('\n')}\n`;
}
