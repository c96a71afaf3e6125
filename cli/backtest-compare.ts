/** What would have fired against what did. Pure. */

/** An anomaly, or an alert by the finding that fired it. */
export interface Fired {
  anomalyId: string;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  startMs: number;
  endMs: number;
  score: number;
  description: string;
  /** Of an alert: what kept it quiet, '' where people hear of it. */
  suppressedBy?: string;
}

export interface Comparison {
  would: number;
  did: number;
  added: Fired[];
  removed: Fired[];
  /** `wasScore`: of the one that did fire. */
  same: (Fired & { wasScore: number })[];
}

/** The same find may be dated a little otherwise: nearer than this it is one. */
const nearMs = 60_000;

const aboutOf = ({ service, lane, detector, subject }: Fired): string =>
  [service, lane, detector, subject].join('\u0000');

/**
 * The same are those with one id, and then those about the same thing that overlap in time or nearly do.
 * @param slackMs further apart than this, two are different, default a minute
 */
export function compareFired(would: readonly Fired[], did: readonly Fired[], slackMs = nearMs): Comparison {
  const left = new Map(did.map((one) => [one.anomalyId, one]));
  const same: Comparison['same'] = [];
  const unmatched: Fired[] = [];
  for (const one of would) {
    const was = left.get(one.anomalyId);
    if (was === undefined) unmatched.push(one);
    else {
      left.delete(one.anomalyId);
      same.push({ ...one, wasScore: was.score });
    }
  }
  const leftBy = Map.groupBy(left.values(), aboutOf);
  const added: Fired[] = [];
  for (const one of unmatched) {
    const near = (leftBy.get(aboutOf(one)) ?? []).find(
      (was) => left.has(was.anomalyId) && was.startMs <= one.endMs + slackMs && one.startMs <= was.endMs + slackMs,
    );
    if (near === undefined) added.push(one);
    else {
      left.delete(near.anomalyId);
      same.push({ ...one, wasScore: near.score });
    }
  }
  const byTime = (a: Fired, b: Fired): number => a.startMs - b.startMs || (a.anomalyId < b.anomalyId ? -1 : 1);
  return {
    would: would.length,
    did: did.length,
    added: added.sort(byTime),
    removed: [...left.values()].sort(byTime),
    same: same.sort(byTime),
  };
}

export interface DayCounts {
  /** `2026-01-31`, UTC. */
  day: string;
  anomalies: { would: number; did: number };
  alerts: { would: number; did: number };
}

/** By day of event time; days on which nothing fired are left out. */
export function countByDay(
  anomalies: { would: readonly Fired[]; did: readonly Fired[] },
  alerts: { would: readonly Fired[]; did: readonly Fired[] },
): DayCounts[] {
  const days = new Map<string, DayCounts>();
  const count = (fired: readonly Fired[], add: (counts: DayCounts) => void): void => {
    for (const { startMs } of fired) {
      const day = new Date(startMs).toISOString().slice(0, 10);
      const counts = days.get(day) ?? { day, anomalies: { would: 0, did: 0 }, alerts: { would: 0, did: 0 } };
      days.set(day, counts);
      add(counts);
    }
  };
  count(anomalies.would, (counts) => counts.anomalies.would++);
  count(anomalies.did, (counts) => counts.anomalies.did++);
  count(alerts.would, (counts) => counts.alerts.would++);
  count(alerts.did, (counts) => counts.alerts.did++);
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}
