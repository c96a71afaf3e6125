/** How long a finding has lasted, at the time of an answer. */
import type { StoredAnomaly } from './ports.ts';

/**
 * A finding that goes on is seen from time to time: up to a day later it is taken to go on still, as alerting does.
 * One of older logs, read live or not, has lasted as long as was seen of it.
 */
const seenWithinMs = 24 * 3_600_000;

export function lastingMs(
  { startMs, endMs, open }: Pick<StoredAnomaly, 'startMs' | 'endMs' | 'open'>,
  nowMs: number,
): number {
  const untilMs = open && nowMs - endMs < seenWithinMs ? Math.max(endMs, nowMs) : endMs;
  return Math.max(0, untilMs - startMs);
}

export function withLasting<T extends StoredAnomaly>(anomaly: T, nowMs: number): T & { durationMs: number } {
  return { ...anomaly, durationMs: lastingMs(anomaly, nowMs) };
}
