/** Incidents: the filtered list, and one with its members in order, their alerts, and what happened when. */
import { ApiProblem } from '../problems.ts';
import { afterParam, integer, oneOf, optionalInteger, rangeOf, rangeParams, text } from '../params.ts';
import type { IncidentDetail, IncidentItem, IncidentMoment, IncidentPage } from '../types.ts';
import { endpoint } from './endpoint.ts';

/** Room before and after, so that the change itself is seen in the logs. */
const roomMs = 60_000;

export const incidents = endpoint({
  path: '/incidents',
  about: 'Incidents that touch the range or are open, newest beginning first.',
  params: {
    ...rangeParams,
    service: text('Only with this service.', 200),
    state: oneOf('Only this state.', ['open', 'closed']),
    score: optionalInteger('Lowest score, 0–100.', 0, 100),
    services: optionalInteger('Fewest services; 2 leaves out what stayed within one.', 1, 1000),
    limit: integer('Incidents per page.', 1, 500, 100),
    after: afterParam,
  },
  answer: async (query, { queries }): Promise<IncidentPage> => {
    const range = rangeOf(query);
    const { service, state, score, services, limit, after } = query;
    const filter = { range, service, state, scoreMin: score, servicesMin: services };
    return await queries.incidents(filter, { limit, after });
  },
});

export const incident = endpoint({
  path: '/incidents/:id',
  about: 'One incident: members in order of onset, what services share, its alerts, and a timeline.',
  params: {},
  answer: async (_query, { queries }, id): Promise<IncidentDetail> => {
    const found = await queries.incident(id);
    if (found === null) {
      throw new ApiProblem(
        'NOT_FOUND',
        `There is no incident '${id}'.`,
        'It may have passed its retention; list what is there at /api/v1/incidents.',
      );
    }
    const ids = found.members.map(({ anomalyId }) => anomalyId);
    const [alerts, goingOn] = await Promise.all([queries.alertsOf(ids), queries.goingOn(ids)]);
    const logsRange = { fromMs: Math.max(0, found.startedMs - roomMs), toMs: found.endedMs + roomMs };
    return { incident: found, goingOn, alerts, timeline: timelineOf(found, goingOn), logsRange };
  },
});

/** Onsets and ends of members, in order; an onset stands where it certainly had happened. */
export function timelineOf({ members }: IncidentItem, goingOn: readonly string[]): IncidentMoment[] {
  return members
    .flatMap(({ anomalyId, service, detector, score, onsetFromMs, onsetByMs, endMs }): IncidentMoment[] => {
      const about = { anomalyId, service, detector, score };
      const begins: IncidentMoment = { ...about, kind: 'onset', fromMs: onsetFromMs, atMs: onsetByMs };
      if (goingOn.includes(anomalyId)) return [begins];
      return [begins, { ...about, kind: 'end', fromMs: Math.max(endMs, onsetByMs), atMs: Math.max(endMs, onsetByMs) }];
    })
    .sort((a, b) => a.atMs - b.atMs || a.fromMs - b.fromMs || Number(a.kind === 'end') - Number(b.kind === 'end'));
}
