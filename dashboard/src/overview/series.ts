/** The trend's counts as rates to draw. Pure. */
import type { Trend } from '#api/types.ts';
import type { Line } from '../parts/chart.tsx';

/** A step still running is drawn once this share of it has passed; before, its rate says little. */
const partMin = 0.3;

/** How much of each step has passed, in ms; 0 = too little to say. */
export function passedMs(trend: Pick<Trend, 'timesMs' | 'stepMs'>, nowMs: number): number[] {
  return trend.timesMs.map((startMs) => {
    const passed = Math.min(trend.stepMs, nowMs - startMs);
    return passed < trend.stepMs * partMin ? 0 : passed;
  });
}

function rates(counts: readonly number[], passed: readonly number[], perMs: number): (number | null)[] {
  return counts.map((value, index) => {
    const ms = passed[index] as number;
    return ms === 0 ? null : (value / ms) * perMs;
  });
}

/** @param per ms of the rate's unit: 1000 = per second */
export function linesOf(
  trend: Trend,
  key: 'logs' | 'errors',
  per: number,
  nowMs: number,
  hueOf: (service: string) => number,
): Line[] {
  const passed = passedMs(trend, nowMs);
  const lines = trend.series.map((series) => ({
    label: series.service,
    color: `--series-${hueOf(series.service)}`,
    values: rates(series[key], passed, per),
  }));
  if (trend.others !== null) {
    lines.push({
      label: `${trend.others.services} others`,
      color: '--series-others',
      values: rates(trend.others[key], passed, per),
    });
  }
  return lines;
}
