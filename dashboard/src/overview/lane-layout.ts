/** Findings into lanes, one per service, and where each lies on the time axis. Pure. */
import type { AnomalySummary } from '#api/types.ts';

export interface Mark {
  anomaly: AnomalySummary;
  /** Of the axis, 0–1. */
  left: number;
  width: number;
}

export interface Lane {
  service: string;
  scoreMax: number;
  marks: Mark[];
}

/** Loudest lane first; marks by time, so that arrows walk along them. Findings outside the range are cut at its ends. */
export function lanesOf(anomalies: readonly AnomalySummary[], [fromMs, toMs]: readonly [number, number]): Lane[] {
  const lengthMs = Math.max(1, toMs - fromMs);
  const lanes = new Map<string, Lane>();
  const share = (ms: number): number => Math.min(1, Math.max(0, (ms - fromMs) / lengthMs));
  for (const anomaly of anomalies) {
    let lane = lanes.get(anomaly.service);
    if (lane === undefined) lanes.set(anomaly.service, (lane = { service: anomaly.service, scoreMax: 0, marks: [] }));
    lane.scoreMax = Math.max(lane.scoreMax, anomaly.score);
    const left = share(anomaly.startMs);
    lane.marks.push({ anomaly, left, width: Math.max(0, share(anomaly.startMs + anomaly.durationMs) - left) });
  }
  for (const { marks } of lanes.values()) marks.sort((a, b) => a.left - b.left || b.anomaly.score - a.anomaly.score);
  return [...lanes.values()].sort((a, b) => b.scoreMax - a.scoreMax || (a.service < b.service ? -1 : 1));
}
