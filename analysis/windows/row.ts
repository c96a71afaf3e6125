import type { Rolling, WindowRow } from '#protocol/findings.ts';
import { classes, type WindowState } from './window.ts';

/** Features that get rolling statistics, in the order of their names in `WindowRow.rolling`. */
export const rollingFeatures = [
  'logCount',
  'errorCount',
  'warnCount',
  'fatalCount',
  'criticalCount',
  'errorRate',
  'warnToInfoRatio',
] as const;
export type RollingFeature = (typeof rollingFeatures)[number];

/** Value of a feature in one window. */
export function featureOf(window: WindowState, feature: RollingFeature): number {
  const { counts } = window;
  switch (feature) {
    case 'logCount':
      return window.logCount;
    case 'errorCount':
      return counts[classes.error]! + counts[classes.critical]!;
    case 'warnCount':
      return counts[classes.warn]!;
    case 'fatalCount':
      return counts[classes.fatal]!;
    case 'criticalCount':
      return counts[classes.critical]!;
    case 'errorRate': {
      const logs = window.logCount;
      const errors = counts[classes.error]! + counts[classes.critical]! + counts[classes.fatal]!;
      return logs === 0 ? 0 : errors / logs;
    }
    case 'warnToInfoRatio':
      return counts[classes.warn]! / Math.max(counts[classes.info]!, 1);
  }
}

/** Statistics of at least one value; p95 by nearest rank, std of the population. */
export function rollingOf(values: readonly number[]): Rolling {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  let sum = 0;
  for (const value of sorted) sum += value;
  const mean = sum / n;
  let squares = 0;
  for (const value of sorted) squares += (value - mean) * (value - mean);
  return {
    min: sorted[0] ?? 0,
    max: sorted[n - 1] ?? 0,
    mean,
    std: Math.sqrt(squares / n),
    p95: sorted[Math.ceil(0.95 * n) - 1] ?? 0,
  };
}

/** The row of a window; `span` are the windows of the rolling span, this one included. */
export function windowRow(
  identity: { service: string; lane: string },
  window: WindowState,
  span: readonly WindowState[],
  version: number,
): WindowRow {
  const rolling: Record<string, Rolling> = {};
  for (const feature of rollingFeatures) rolling[feature] = rollingOf(span.map((other) => featureOf(other, feature)));
  return {
    service: identity.service,
    lane: identity.lane,
    startMs: window.startMs,
    endMs: window.endMs,
    logCount: window.logCount,
    infoCount: window.counts[classes.info]!,
    warnCount: window.counts[classes.warn]!,
    errorCount: featureOf(window, 'errorCount'),
    fatalCount: window.counts[classes.fatal]!,
    criticalCount: window.counts[classes.critical]!,
    debugCount: window.counts[classes.debug]!,
    errorRate: featureOf(window, 'errorRate'),
    warnToInfoRatio: featureOf(window, 'warnToInfoRatio'),
    templateCount: window.templateCount,
    newTemplateCount: window.newTemplates,
    valueCount: window.values.count,
    valueMean: window.values.mean,
    valueP95: window.values.quantile(0.95),
    valueMax: window.values.max,
    rolling,
    lateCount: window.late,
    version,
  };
}
