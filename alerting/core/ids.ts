/** Ids say what they are about: the same alert has the same id in every replay. */
import { createHash } from 'node:crypto';
import type { Anomaly } from '#protocol/mod.ts';

type About = Pick<Anomaly, 'service' | 'lane' | 'detector' | 'subject'>;

function hashOf(parts: readonly (string | number)[], digits: number): string {
  return createHash('sha256').update(parts.join('\u0000')).digest('hex').slice(0, digits);
}

/** Repeats of what an alert is about fold into one alert. */
export function fingerprintOf({ service, lane, detector, subject }: About): string {
  return hashOf([service, lane, detector, subject], 32);
}

/** 16 hex digits of (service, lane, detector, subject, first firing). */
export function alertIdOf({ service, lane, detector, subject }: About, firedAtMs: number): string {
  return hashOf([service, lane, detector, subject, firedAtMs], 16);
}

export function groupIdOf(route: string, key: string): string {
  return hashOf([route, key], 32);
}

/**
 * A BullMQ job id: it holds no ":" and is no number, as BullMQ asks. `content` names the state changes it tells: the
 * same notification decided again is recognised, one that tells more is not.
 */
export function notificationIdOf(
  group: string,
  openedAtMs: number,
  transition: number,
  channel: string,
  content: readonly string[] = [],
): string {
  return `n${hashOf([group, openedAtMs, transition, channel, ...content], 32)}`;
}
