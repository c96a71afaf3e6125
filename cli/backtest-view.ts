/** `logweir backtest` as text. Pure. */
import type { Rehearsal } from '#alerting/mod.ts';
import type { Comparison, DayCounts, Fired } from './backtest-compare.ts';
import { table } from './table.ts';

export interface BacktestResult {
  source: 'stored' | 'findings' | 'files';
  range: { fromMs: number; toMs: number };
  records: number;
  /** `did`, `added` and `removed` say nothing for files: nothing fired there. */
  anomalies: Comparison;
  alerts: Comparison;
  days: DayCounts[];
  notifications: Rehearsal['notifications'];
  incidents: Rehearsal['incidents'];
}

const linesShown = 20;
const dayMs = 86_400_000;
const count = (number: number): string => number.toLocaleString('en-US');
const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 19);
const many = (number: number, one: string, more: string): string =>
  `${number === 0 ? 'no' : count(number)} ${number === 1 ? one : more}`;

export function renderBacktest(result: BacktestResult): string {
  const { source, range, records, anomalies, alerts, days, notifications, incidents } = result;
  const against = source !== 'files';
  const what = source === 'findings' ? 'stored findings' : 'records';
  if (records === 0) return 'Nothing is stored in that time.\n';
  const lines = [
    `${count(records)} ${what} from ${time(range.fromMs)} to ${time(range.toMs)} UTC; nobody was told.`,
    '',
    ...table(
      [
        against ? ['', 'would fire', 'did fire', 'same', 'added', 'removed'] : ['', 'would fire'],
        ...(
          [
            ['anomalies', anomalies],
            ['alerts', alerts],
          ] as const
        ).map(([name, all]) =>
          against
            ? [name, ...[all.would, all.did, all.same.length, all.added.length, all.removed.length].map(count)]
            : [name, count(all.would)],
        ),
      ],
      1,
    ),
    '',
    ...perDay(days, against, range.toMs - range.fromMs),
    ...told(notifications),
    ...(incidents.length === 0
      ? []
      : [
          '',
          ...shown(`Incidents of several services`, incidents, (one) => `${time(one.startedMs)}  ${one.description}`),
        ]),
    ...(against
      ? [...listOf('Anomalies added', anomalies.added), ...listOf('Anomalies removed', anomalies.removed)]
      : listOf('Anomalies', anomalies.added)),
    ...(against
      ? [...listOf('Alerts added', alerts.added), ...listOf('Alerts removed', alerts.removed)]
      : listOf('Alerts', alerts.added)),
  ];
  return `${lines.join('\n')}\n`;
}

function perDay(days: readonly DayCounts[], against: boolean, rangeMs: number): string[] {
  if (days.length === 0) return ['Nothing fires.'];
  const head = against ? ['day', 'anomalies', 'did', 'alerts', 'did'] : ['day', 'anomalies', 'alerts'];
  const rows = days.map(({ day, anomalies, alerts }) =>
    against
      ? [day, ...[anomalies.would, anomalies.did, alerts.would, alerts.did].map(count)]
      : [day, count(anomalies.would), count(alerts.would)],
  );
  if (rangeMs < 2 * dayMs) return table([head, ...rows], 1);
  const mean = days.reduce((sum, { alerts }) => sum + alerts.would, 0) / (rangeMs / dayMs);
  return [
    ...table([head, ...rows], 1),
    `  ${(Math.round(mean * 10) / 10).toLocaleString('en-US')} alerts a day on average.`,
  ];
}

function told(notifications: Rehearsal['notifications']): string[] {
  if (notifications.length === 0) return [];
  const channels = Map.groupBy(notifications, ({ channel }) => channel);
  return [...channels].map(([channel, days]) => {
    const all = days.reduce((sum, day) => sum + day.count, 0);
    return `  ${channel} would be told ${many(all, 'time', 'times')}, at most ${count(Math.max(...days.map((day) => day.count)))} on a day.`;
  });
}

function listOf(title: string, fired: readonly Fired[]): string[] {
  if (fired.length === 0) return [];
  return [
    '',
    ...shown(title, fired, ({ startMs, score, service, detector, description, suppressedBy = '' }) => {
      const quiet = suppressedBy === '' ? '' : `  (kept quiet: ${suppressedBy})`;
      return `${time(startMs)}  ${score.toFixed(0).padStart(3)}  ${service}  ${detector}  ${description}${quiet}`;
    }),
  ];
}

function shown<T>(title: string, all: readonly T[], line: (one: T) => string): string[] {
  const more = all.length - linesShown;
  return [
    title,
    ...all.slice(0, linesShown).map((one) => `  ${line(one)}`),
    ...(more > 0 ? [`  … and ${count(more)} more; --json has them all.`] : []),
  ];
}
