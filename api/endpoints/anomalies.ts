/** Findings: the filtered list, and one with all its evidence and the raw logs around it. */
import { ApiProblem } from '../problems.ts';
import { withLasting } from '../lasting.ts';
import { afterParam, integer, oneOf, optionalInteger, rangeOf, rangeParams, text } from '../params.ts';
import type { AnomalyDetail, AnomalyEvidence, AnomalyPage, TimeRange } from '../types.ts';
import { endpoint } from './endpoint.ts';

/** Raw logs answered along with a finding; more of them under /logs. */
const detailLogs = 50;
/** Room before and after the finding's window, so that the change itself is seen. */
const roomMs = 30_000;

export const anomalies = endpoint({
  path: '/anomalies',
  about: 'Findings whose time touches the range: those that go on first, then newest first.',
  params: {
    ...rangeParams,
    service: text('Only this service.', 200),
    detector: text('Only what this detector found, such as error_spike.', 100),
    score: optionalInteger('Lowest score, 0–100.', 0, 100),
    open: oneOf('Only those that go on (true), or only those that are over (false).', ['true', 'false']),
    text: text('Case-insensitive part of the description, subject or service.', 200),
    limit: integer('Findings per page.', 1, 1000, 100),
    after: afterParam,
  },
  answer: async (query, { queries, nowMs }): Promise<AnomalyPage> => {
    const range = rangeOf(query);
    const { service, detector, score, text: words, limit, after } = query;
    const open = query.open === undefined ? undefined : query.open === 'true';
    const [page, detectors] = await Promise.all([
      queries.anomalies({ range, service, detector, scoreMin: score, open, text: words }, { limit, after }),
      queries.detectors(range, service),
    ]);
    return {
      range,
      items: page.items.map((item) => withLasting(item, nowMs)),
      next: page.next,
      detectors: [...detectors].sort((a, b) => b.count - a.count),
    };
  },
});

/** The window with room around it, and never an empty one. */
export function logsRangeOf(anomaly: Pick<AnomalyEvidence, 'startMs' | 'endMs' | 'decidedAtMs'>): TimeRange {
  const endMs = Math.max(anomaly.endMs, anomaly.decidedAtMs, anomaly.startMs + 1);
  return { fromMs: Math.max(0, anomaly.startMs - roomMs), toMs: endMs + roomMs };
}

export const anomaly = endpoint({
  path: '/anomalies/:id',
  about: 'One finding with its evidence, its latency receipt, and raw logs of the service around it.',
  params: {},
  answer: async (_query, { queries, nowMs }, id): Promise<AnomalyDetail> => {
    const found = await queries.anomaly(id);
    if (found === null) {
      throw new ApiProblem(
        'NOT_FOUND',
        `There is no anomaly '${id}'.`,
        'It may have passed its retention; list what is there at /api/v1/anomalies.',
      );
    }
    const logsRange = logsRangeOf(found);
    const logs = await queries.logs({ range: logsRange, service: found.service }, { limit: detailLogs });
    return { anomaly: withLasting(found, nowMs), logsRange, logs: logs.items, logsNext: logs.next };
  },
});
