/** The trend's pure decisions: which step suits a range, and rows of the rollups into aligned columns. */
import type { TrendRow } from './ports.ts';
import type { TimeRange, Trend, TrendSeries } from './types.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Steps that divide a day, so that they start where people expect, then whole days and weeks. */
export const trendStepsMs: readonly number[] = [
  minuteMs,
  2 * minuteMs,
  5 * minuteMs,
  10 * minuteMs,
  15 * minuteMs,
  30 * minuteMs,
  hourMs,
  2 * hourMs,
  6 * hourMs,
  12 * hourMs,
  dayMs,
  7 * dayMs,
  28 * dayMs,
  364 * dayMs,
];

/** Steps of one trend: about one every five pixels of a wide chart, and a bound on the answer. */
export const trendStepsMax = 240;

/** The finest step that keeps a range within `trendStepsMax` steps. */
export function trendStepMs(range: TimeRange): number {
  const lengthMs = range.toMs - range.fromMs;
  // One step is kept spare, as aligning both ends outwards may add one.
  return trendStepsMs.find((stepMs) => lengthMs / stepMs <= trendStepsMax - 1) ?? (trendStepsMs.at(-1) as number);
}

/** The range with both ends moved outwards to whole steps. */
export function alignRange(range: TimeRange, stepMs: number): TimeRange {
  return { fromMs: Math.floor(range.fromMs / stepMs) * stepMs, toMs: Math.ceil(range.toMs / stepMs) * stepMs };
}

function emptySeries(service: string, length: number): TrendSeries {
  const zeros = () => new Array<number>(length).fill(0);
  return { service, logs: zeros(), errors: zeros(), warns: zeros() };
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Rows into one series per service, largest first; services beyond `seriesMax` are added up in `others`. */
export function shapeTrend(rows: readonly TrendRow[], range: TimeRange, stepMs: number, seriesMax: number): Trend {
  const length = Math.round((range.toMs - range.fromMs) / stepMs);
  const byService = new Map<string, TrendSeries>();
  for (const row of rows) {
    const index = Math.floor((row.startMs - range.fromMs) / stepMs);
    if (index < 0 || index >= length) continue;
    let series = byService.get(row.service);
    if (series === undefined) byService.set(row.service, (series = emptySeries(row.service, length)));
    add(series, index, row);
  }
  const sorted = [...byService.values()]
    .map((series) => ({ series, total: sum(series.logs) }))
    .sort((a, b) => b.total - a.total || (a.series.service < b.series.service ? -1 : 1))
    .map(({ series }) => series);
  const rest = sorted.slice(seriesMax);
  return {
    range,
    stepMs,
    timesMs: Array.from({ length }, (_, index) => range.fromMs + index * stepMs),
    series: sorted.slice(0, seriesMax),
    others: rest.length === 0 ? null : addUp(rest, length),
  };
}

function add(series: TrendSeries, index: number, row: { logs: number; errors: number; warns: number }): void {
  series.logs[index] = (series.logs[index] as number) + row.logs;
  series.errors[index] = (series.errors[index] as number) + row.errors;
  series.warns[index] = (series.warns[index] as number) + row.warns;
}

function addUp(list: readonly TrendSeries[], length: number): NonNullable<Trend['others']> {
  const total = emptySeries('', length);
  for (const series of list) {
    for (let i = 0; i < length; i++) {
      add(total, i, {
        logs: series.logs[i] as number,
        errors: series.errors[i] as number,
        warns: series.warns[i] as number,
      });
    }
  }
  return { services: list.length, logs: total.logs, errors: total.errors, warns: total.warns };
}
