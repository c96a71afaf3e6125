/** Incidents of the small cluster that never was. */
import type { IncidentItem, IncidentMember } from '../types.ts';
import { seedAnomalies } from './seed.ts';

/** Services, what they share, and whether it goes on; of the seeded anomalies. */
const cascades: readonly { services: readonly string[]; open: boolean; clues: IncidentItem['clues'] }[] = [
  {
    services: ['payments', 'checkout', 'edge-proxy'],
    open: true,
    clues: [
      { kind: 'id', value: '4bf92f3577b34da6a3ce929d0e0e4736', services: ['payments', 'checkout'] },
      { kind: 'host', value: 'ledger-db', services: ['payments', 'checkout', 'edge-proxy'] },
      { kind: 'mention', value: 'payments', services: ['checkout'] },
    ],
  },
  { services: ['search'], open: false, clues: [] },
  { services: ['inventory', 'auth'], open: false, clues: [] },
];

export function seedIncidents(nowMs: number): IncidentItem[] {
  const anomalies = seedAnomalies(nowMs);
  return cascades
    .map(({ services, open, clues }, index): IncidentItem => {
      const members = anomalies
        .filter(({ service }) => services.includes(service))
        .map(({ id, service, detector, subject, score, startMs, decidedAtMs, endMs, description }): IncidentMember => {
          // The third of the cascade is brought near to the others.
          const by = service === 'edge-proxy' ? -17 * 60_000 : 0;
          const times = { onsetFromMs: startMs + by, onsetByMs: decidedAtMs + by, endMs };
          return { anomalyId: id, service, detector, subject, score, ...times, description };
        })
        .sort((a, b) => a.onsetByMs - b.onsetByMs);
      const ordered = members.map(({ service }) => service);
      const worst = members.toSorted((a, b) => b.score - a.score)[0] as IncidentMember;
      const [first, ...others] = ordered;
      const title =
        others.length === 0
          ? `${worst.service}: ${worst.detector.replaceAll('_', ' ')}`
          : `${first} first, then ${others.join(' and ')}`;
      const startedMs = Math.min(...members.map(({ onsetFromMs }) => onsetFromMs));
      const endedMs = Math.max(...members.map(({ endMs }) => endMs));
      return {
        id: (0xa1b2c3d4e5f60 + index).toString(16).padStart(16, '0'),
        state: open ? 'open' : 'closed',
        mergedInto: '',
        lane: 'live',
        title,
        description:
          others.length === 0 ? worst.description : `${title}; worst, score ${worst.score}: ${worst.description}`,
        startedMs,
        changedMs: endedMs,
        endedMs,
        score: worst.score,
        worstAnomalyId: worst.anomalyId,
        firstMover: others.length === 0 ? '' : (first as string),
        services: ordered,
        ranks: ordered.map((_, at) => Math.min(at, 1)),
        members,
        more: 0,
        clues,
      };
    })
    .sort((a, b) => b.startedMs - a.startedMs);
}
