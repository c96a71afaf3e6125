/** How numbers and spans read in a sentence; the same everywhere, whatever the machine's language. */
import type { Influencer } from '#protocol/findings.ts';

/** 0.004 → "0.004", 3.14159 → "3.1", 1234.5 → "1,235". */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return '0';
  if (size >= 1000)
    return Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ',');
  if (size >= 10 || Number.isInteger(value)) return String(Math.round(value));
  if (size >= 1) return String(Math.round(value * 10) / 10);
  return String(Number(value.toPrecision(2)));
}

/** 90_000 → "90 s", 600_000 → "10 min", 9_000_000 → "2.5 h". */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 360_000) / 10} h`;
}

/** "0.4/s", "3 per minute", "2 per hour": what is rare reads better over longer times. */
export function perTime(perSecond: number): string {
  if (perSecond >= 0.2 || perSecond <= 0) return `${figure(perSecond)}/s`;
  if (perSecond >= 0.004) return `${figure(perSecond * 60)} per minute`;
  return `${figure(perSecond * 3600)} per hour`;
}

/** Time of day in UTC: "02:14:07". */
export function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

export function percent(share: number): string {
  return `${share > 0 && share < 0.01 ? '<1' : Math.round(share * 100)} %`;
}

/** "6 times as much"; no "Infinity times" where nothing was usual. */
export function times(actual: number, typical: number): string {
  return typical <= 0 ? 'where none were usual' : `${figure(actual / typical)} times as many`;
}

/** "; 93 % are 'connection to <*> refused'", or '' without a template. */
export function mostly(influencers: readonly Influencer[], verb = 'are'): string {
  const top = influencers.find(({ kind }) => kind === 'template');
  if (top === undefined) return '';
  const text = top.name.length > 120 ? `${top.name.slice(0, 119)}…` : top.name;
  return `; ${percent(top.share)} ${verb} '${text}'`;
}

const names: Record<string, string> = {
  logCount: 'records',
  infoCount: 'info records',
  warnCount: 'warnings',
  errorCount: 'errors',
  fatalCount: 'fatal errors',
  criticalCount: 'critical errors',
  debugCount: 'debug records',
  errorRate: 'error share',
  warnToInfoRatio: 'warn-to-info ratio',
  templateCount: 'different templates',
  newTemplateCount: 'new templates',
  valueMean: 'mean of the numbers in messages',
  latency: 'latencies and sizes',
  valueP95: '95th percentile of the numbers in messages',
};

export function nameOf(feature: string): string {
  return names[feature] ?? feature;
}
