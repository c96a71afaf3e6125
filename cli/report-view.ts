/** `logweir report` as text. Pure. */
import type { Report } from '#storage/queries/mod.ts';
import { table } from './table.ts';

const bodyCharsMax = 100;
const count = (number: number): string => number.toLocaleString('en-US');
const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 19);
const cut = (text: string): string => (text.length > bodyCharsMax ? `${text.slice(0, bodyCharsMax - 1)}…` : text);
const section = (title: string, rows: readonly string[]): string[] => (rows.length === 0 ? [] : ['', title, ...rows]);

export function renderReport(report: Report): string {
  if (report.totalLogs === 0) return 'Nothing is stored in that time.\n';
  const severities = Object.entries(report.severities).filter(([, logs]) => logs > 0);
  const lines = [
    `${count(report.totalLogs)} logs from ${time(report.range.fromMs)} to ${time(report.range.toMs)} UTC`,
    `${count(report.windows)} windows, ${count(report.errorWindows)} of them with errors; ${count(report.anomaliesTotal)} anomalies`,
    ...section(
      'Services by volume',
      table(
        [
          ['service', 'logs', 'errors', 'warnings', 'anomalies'],
          ...report.services.map((s) => [
            s.service,
            count(s.logs),
            count(s.errors),
            count(s.warns),
            count(s.anomalies),
          ]),
        ],
        1,
      ),
    ),
    ...section(
      'Severities',
      table(
        severities.toReversed().map(([name, logs]) => [name, count(logs)]),
        1,
      ),
    ),
    ...section(
      'Templates by count',
      report.templates.map((t) => `  ${count(t.count).padStart(11)}  ${t.service}  ${cut(t.template)}`),
    ),
    ...section(
      'Detected patterns',
      table(
        report.patterns.map((p) => [p.detector, p.subject, count(p.count)]),
        2,
      ),
    ),
    ...section(
      'Incidents',
      report.incidents.map(
        (i) =>
          `  ${time(i.startedMs)}  ${String(Math.round(i.score)).padStart(3)}  ${i.state.padEnd(6)}  ${cut(i.description)}`,
      ),
    ),
    ...section(
      'Anomalies, those that go on first',
      report.anomalies.map(
        (a) =>
          `  ${time(a.startMs)}  ${String(Math.round(a.score)).padStart(3)}  ${a.service}  ${a.open ? '(going on) ' : ''}${cut(a.description)}`,
      ),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
