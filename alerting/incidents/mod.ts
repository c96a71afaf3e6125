/** Incidents: findings of all services that belong together. Pure; rules I1–I3 stand at the head of `lane.ts`. */
import type { Anomaly, IncidentVersion } from '#protocol/mod.ts';
import { LaneWork } from './lane.ts';
import { emptyModel } from './model.ts';
import { byOnset } from './cluster.ts';
import { rowOf } from './row.ts';
import { emptyIncidents, type IncidentConfig, type IncidentsState, type Lane, lanesMax } from './types.ts';

export { emptyIncidents, type IncidentConfig, type IncidentsState, type IncidentTotals } from './types.ts';

function newLane(lane: string): Lane {
  return {
    lane,
    findings: new Map(),
    horizonMs: Number.NEGATIVE_INFINITY,
    model: emptyModel(),
    frozen: new Map(),
    present: new Map(),
    stale: false,
    incidentOf: new Map(),
    news: new Set(),
    published: new Map(),
    sweptMs: 0,
    checkedMs: 0,
  };
}

/** Findings come in and time (stream time, ms) goes on; gives versions to publish. */
export function advanceIncidents(
  state: IncidentsState,
  anomalies: readonly Anomaly[],
  nowMs: number,
  config: IncidentConfig,
): { state: IncidentsState; rows: IncidentVersion[] } {
  if (anomalies.length === 0 && !dueNow(state, nowMs)) return { state, rows: [] };
  const lanes = new Map(state.lanes);
  const totals = { ...state.totals };
  const rows: IncidentVersion[] = [];
  const byLane = Map.groupBy(anomalies, ({ lane }) => lane);
  for (const lane of new Set([...byLane.keys(), ...lanes.keys()])) {
    const work = new LaneWork(lanes.get(lane) ?? newLane(lane), config, totals);
    const findings = byLane.get(lane) ?? [];
    for (const anomaly of findings) work.take(anomaly, nowMs);
    const done = work.finish(nowMs);
    rows.push(...done.rows);
    if (findings.length > 0) lanes.delete(lane);
    lanes.set(lane, done.lane);
  }
  for (const [name, lane] of lanes) {
    // What a lane learned is worth keeping for the one that never ends.
    const idle = name !== 'live' && lane.findings.size === 0;
    if (!idle && lanes.size <= lanesMax) continue;
    if (name === 'live') continue;
    totals.evicted += lane.findings.size;
    lanes.delete(name);
  }
  return { state: { lanes, totals }, rows };
}

/** Time alone brings news about at most once a second. */
function dueNow(state: IncidentsState, nowMs: number): boolean {
  for (const { findings, checkedMs } of state.lanes.values())
    if (findings.size > 0 && nowMs - checkedMs >= 1_000) return true;
  return false;
}

/** Incident that a finding is part of, as it stands; null where it is not known, or too weak. */
export function incidentOf(state: IncidentsState, lane: string, anomalyId: string): string | null {
  return state.lanes.get(lane)?.incidentOf.get(anomalyId) ?? null;
}

/** An incident as it stands; null where it is forgotten. */
export function incidentNow(state: IncidentsState, lane: string, id: string): IncidentVersion | null {
  const of = state.lanes.get(lane);
  const findings = (of?.present.get(id) ?? of?.frozen.get(id) ?? []).flatMap((one) => of?.findings.get(one) ?? []);
  return findings.length === 0 ? null : rowOf(id, lane, findings.sort(byOnset), of?.published.get(id)?.state ?? 'open');
}

export function openIncidents(state: IncidentsState): number {
  let open = 0;
  for (const { published } of state.lanes.values())
    for (const one of published.values()) if (one.state === 'open') open++;
  return open;
}

export function findingsHeld(state: IncidentsState): number {
  let held = 0;
  for (const { findings } of state.lanes.values()) held += findings.size;
  return held;
}

/** Lists instead of maps and sets, for a checkpoint. */
export function snapshotOfIncidents(state: IncidentsState): unknown {
  return {
    totals: state.totals,
    lanes: [...state.lanes.values()].map((lane) => ({
      ...lane,
      findings: [...lane.findings.values()],
      model: { ...lane.model, services: [...lane.model.services], pairs: [...lane.model.pairs] },
      frozen: [...lane.frozen],
      present: [...lane.present],
      incidentOf: [...lane.incidentOf],
      news: [...lane.news],
      published: [...lane.published],
    })),
  };
}

type Packed = Omit<Lane, 'findings' | 'model' | 'frozen' | 'present' | 'incidentOf' | 'news' | 'published'> & {
  findings: (Lane['findings'] extends ReadonlyMap<string, infer F> ? F : never)[];
  model: { sinceMs: number | null; services: [string, never][]; pairs: [string, never][] };
  frozen: [string, string[]][];
  present: [string, string[]][];
  incidentOf: [string, string][];
  news: string[];
  published: [string, never][];
};

export function restoreIncidents(snapshot: unknown): IncidentsState {
  const empty = emptyIncidents();
  if (snapshot === undefined) return empty;
  const { totals, lanes } = snapshot as { totals: IncidentsState['totals']; lanes: Packed[] };
  return {
    totals: { ...empty.totals, ...totals },
    lanes: new Map(
      lanes.map((lane): [string, Lane] => [
        lane.lane,
        {
          ...lane,
          findings: new Map(lane.findings.map((finding) => [finding.anomalyId, finding])),
          model: { ...lane.model, services: new Map(lane.model.services), pairs: new Map(lane.model.pairs) },
          frozen: new Map(lane.frozen),
          present: new Map(lane.present),
          incidentOf: new Map(lane.incidentOf),
          news: new Set(lane.news),
          published: new Map(lane.published),
        },
      ]),
    ),
  };
}
