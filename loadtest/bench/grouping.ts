/** Storms of findings through the grouping of incidents, for `alerting.bench.ts`: CPU of one call, by pattern. */
import process from 'node:process';
import { advanceIncidents, emptyIncidents, type IncidentConfig } from '#alerting/incidents/mod.ts';
import type { Anomaly } from '#protocol/mod.ts';

const config: IncidentConfig = {
  scoreMin: 50,
  memberScoreMin: 25,
  gapMs: 600_000,
  spanMs: 1_800_000,
  lateMs: 900_000,
  quietMs: 300_000,
  openMaxMs: 86_400_000,
};
const startMs = Date.UTC(2030, 0, 1, 12);

function finding(at: number, service: number, fromMs: number): Anomaly {
  const host = `db-${at % 40}`;
  return {
    anomalyId: at.toString(16).padStart(16, '0'),
    service: `service-${service}`,
    lane: 'live',
    detector: 'error_spike',
    subject: '',
    startMs: fromMs,
    endMs: fromMs + 60_000,
    decidedAtMs: fromMs + 30_000,
    score: 40 + (at % 60),
    actual: 41,
    typical: 2,
    description: '41 errors within 60 s, usually 2',
    influencers: [{ kind: 'template', name: `connection to <*> refused by pool ${at % 90}`, share: 0.93 }],
    samples: [
      `connection to ${host} refused, request 0a1b2c3d4e5f${at % 700}`,
      `service-${(service * 7) % 300} timed out`,
    ],
    watermarkMs: fromMs,
    lateCount: 0,
    revised: false,
    version: at,
    eventMs: fromMs + 30_000,
  };
}

export interface GroupingRow {
  storm: string;
  findings: number;
  calls: number;
  cpuMs: number;
  /** CPU of one call, which the wall clock of a busy machine would not show. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** One finding a call, as partitions send them, with a tick twice a second; CPU of calls once 1,500 findings are held. */
function run(storm: string, services: number, everyMs: number, together: number): GroupingRow {
  let state = emptyIncidents();
  const times: number[] = [];
  let nowMs = startMs;
  let tickMs = startMs;
  const findings = 2_400;
  const cpu = process.cpuUsage();
  for (let at = 0; at < findings; at += together) {
    nowMs += everyMs;
    const anomalies = Array.from({ length: together }, (_, i) =>
      finding(at + i, ((at + i) * 7_919) % services, nowMs - 40_000),
    );
    for (; tickMs < nowMs; tickMs += 500) ({ state } = advanceIncidents(state, [], tickMs, config));
    const from = process.threadCpuUsage();
    ({ state } = advanceIncidents(state, anomalies, nowMs, config));
    const { user, system } = process.threadCpuUsage(from);
    if (at >= 1_500 || together > 1_500) times.push((user + system) / 1_000);
  }
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const tenth = (ms: number): number => Math.round(ms * 10) / 10;
  return {
    storm,
    findings,
    calls: findings / together,
    cpuMs: Math.round((user + system) / 1_000),
    p50Ms: tenth(times[times.length >> 1] ?? 0),
    p99Ms: tenth(times[Math.floor(times.length * 0.99)] ?? 0),
    maxMs: tenth(times.at(-1) ?? 0),
  };
}

export function measureGrouping(): GroupingRow[] {
  return [
    run('300 services within two minutes', 300, 50, 1),
    run('2,000 services within two minutes', 2_000, 50, 1),
    run('40 services, one a second', 40, 1_000, 1),
    run('300 services, all in one message', 300, 60_000, 2_400),
    run('1,000 services, one a second', 1_000, 1_000, 1),
  ];
}
