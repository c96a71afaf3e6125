/** What would have fired against what did. Pure. */
import type { FiredAnomaly } from '#storage/mod.ts';

/** An anomaly, or an alert by the finding that fired it. */
export type Fired = Pick<
  FiredAnomaly,
  'anomalyId' | 'service' | 'lane' | 'detector' | 'subject' | 'startMs' | 'endMs' | 'score' | 'description'
> & {
  /** Of an alert: what kept it quiet, '' where people hear of it. */
  suppressedBy?: string;
};

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
  const left = new Set(did);
  const same: Comparison['same'] = [];
  const added: Fired[] = [];
  const take = (one: Fired, was: Fired): void => {
    left.delete(was);
    same.push({ ...one, wasScore: was.score });
  };
  // An alert may fire more than once for one finding: each is met once.
  const byId = Map.groupBy(did, ({ anomalyId }) => anomalyId);
  const unmatched = would.filter((one) => {
    const was = byId.get(one.anomalyId)?.find((candidate) => left.has(candidate));
    if (was !== undefined) take(one, was);
    return was === undefined;
  });
  const byAbout = Map.groupBy(left, aboutOf);
  for (const one of unmatched) {
    const near = byAbout
      .get(aboutOf(one))
      ?.find((was) => left.has(was) && was.startMs <= one.endMs + slackMs && one.startMs <= was.endMs + slackMs);
    if (near === undefined) added.push(one);
    else take(one, near);
  }
  const byTime = (a: Fired, b: Fired): number => a.startMs - b.startMs || (a.anomalyId < b.anomalyId ? -1 : 1);
  return {
    would: would.length,
    did: did.length,
    added: added.sort(byTime),
    removed: [...left].sort(byTime),
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
