/** How numbers and spans read in a sentence; the same everywhere, whatever the machine's language. */
import type { Influencer } from '#protocol/findings.ts';

const dayMs = 86_400_000;

/** 0.004 → "0.004", 3.14159 → "3.1", 1234.5 → "1,235". */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return '0';
  if (size >= 999.5)
    return Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ',');
  if (size >= 10 || Number.isInteger(value)) return String(Math.round(value));
  if (size >= 1) return String(Math.round(value * 10) / 10);
  return String(Number(value.toPrecision(2)));
}

/** 90_000 → "90 s", 600_000 → "10 min", 9_000_000 → "2.5 h", 259_200_000 → "3 days". */
export function span(ms: number): string {
  if (ms < 1000) return `${figure(Math.max(0, ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 2 * dayMs) return `${Math.round(ms / 360_000) / 10} h`;
  return `${Math.round((10 * ms) / dayMs) / 10} days`;
}

const rateUnits = [
  { from: 0.2, seconds: 1, text: '/s' },
  { from: 1 / 60, seconds: 60, text: ' per minute' },
  { from: 1 / 3600, seconds: 3600, text: ' per hour' },
  { from: 0, seconds: 86_400, text: ' per day' },
] as const;
const unitOf = (perSecond: number) =>
  rateUnits[perSecond <= 0 ? 0 : rateUnits.findIndex(({ from }) => perSecond >= from)]!;

/** "0.4/s", "3 per minute", "2 per hour", "5 per day": what is rare reads better over longer times. */
export function perTime(perSecond: number, { seconds, text } = unitOf(perSecond)): string {
  return `${figure(perSecond * seconds)}${text}`;
}

/** " against a typical 0.03/s", in the unit of the rate before it, if that is no tiny number; less than one a day is none. */
export function againstRate(typical: number, actual: number, word = 'against'): string {
  if (isNone(typical)) return ' where there are usually none';
  const unit = unitOf(actual);
  return ` ${word} a typical ${perTime(typical, typical * unit.seconds >= 0.01 ? unit : unitOf(typical))}`;
}

const isNone = (perSecond: number): boolean => perSecond * 86_400 < 1;

/** Moment in UTC: "02:14:07 UTC"; with the day where `nowMs` is a day or more away. */
export function clock(ms: number, nowMs = ms): string {
  const text = new Date(ms).toISOString();
  return Math.abs(nowMs - ms) < dayMs ? `${text.slice(11, 19)} UTC` : `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;
}

/** 0.996 is not all, and 0.002 is not none. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return '<1 %';
  if (share < 1 && share > 0.99) return '>99 %';
  return `${Math.round(share * 100)} %`;
}

/** ", 6 times as many"; '' where nothing was usual. */
export function times(actual: number, typical: number): string {
  return isNone(typical) ? '' : `, ${figure(actual / typical)} times as many`;
}

/** "3 times", "once". */
export function often(count: number): string {
  return count === 1 ? 'once' : `${figure(count)} times`;
}

/** Text in quotes and in one line, cut between characters. */
export function quote(text: string, most = 120): string {
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/[ ⏎]+$/, '')
    .trim();
  if (line.length <= most) return `'${line}'`;
  // Not within a surrogate pair.
  return `'${line.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…'`;
}

/** "'a', 'b' and 3 more". */
export function andMore(count: number): string {
  return count > 0 ? ` and ${figure(count)} more` : '';
}

/** "; 93 % are 'connection to <*> refused'", or '' without a template. */
export function mostly(influencers: readonly Influencer[]): string {
  const top = influencers.find(({ kind }) => kind === 'template');
  return top === undefined ? '' : `; ${percent(top.share)} are ${quote(top.name)}`;
}

const unitPattern =
  /(?:<\*>|\d) ?(ns|[uµ]s|ms|msecs?|millis|milliseconds?|microseconds|nanoseconds|s|secs?|seconds?|mins?|minutes|hours)(?![\w=:/-])|(?:<\*>|\d) ?(b|bytes|[kmgt]i?b)(?![\w=:/-])/gi;

/**
 * A number of a message with its unit: what is mined is in milliseconds and bytes. The first text that names units
 * tells, if they are all of one dimension; otherwise the number stands alone.
 * @param texts template and samples
 */
export function measure(value: number, texts: readonly string[]): string {
  for (const text of texts) {
    const isTime = [...text.matchAll(unitPattern)].map(([, time]) => time !== undefined);
    if (isTime.length === 0) continue;
    if (value < 0 || isTime.includes(!isTime[0])) break;
    return isTime[0] === true ? duration(value) : size(value);
  }
  return figure(value);
}

/** 0.25 → "0.25 ms", 340 → "340 ms", 3_400 → "3.4 s", 90_000 → "90 s". */
function duration(ms: number): string {
  return ms < 999.5 ? `${figure(ms)} ms` : ms < 120_000 ? `${figure(ms / 1000)} s` : span(ms);
}

function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [rest, unit] = [bytes, 0];
  for (; rest >= 1024 && unit < units.length - 1; unit++) rest /= 1024;
  return `${figure(rest)} ${units[unit]}`;
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
