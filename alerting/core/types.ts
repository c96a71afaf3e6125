/**
 * The words of the pure core. All times are ms since 1970 in stream time; every value is plain data, so that the
 * state can be packed as it is. Entries are replaced, never changed in place.
 */
import type { AlertTransition, Anomaly, IncidentVersion, Influencer, Receipt } from '#protocol/mod.ts';
import type { IncidentsState } from '../incidents/mod.ts';

/** What an alert is about, its evidence at its highest score, and how long it has been so. */
export interface Alert {
  /** 16 hex digits of (service, lane, detector, subject, first firing). */
  alertId: string;
  fingerprint: string;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  severity: Severity;
  /** Highest score so far, with the values that came with it. */
  score: number;
  actual: number;
  typical: number;
  description: string;
  /** Latest finding. */
  anomalyId: string;
  /** The finding that goes on, and so keeps it firing until its end is told; '' where none does. */
  openId: string;
  influencers: Influencer[];
  samples: string[];
  /** Event time at which it began. */
  sinceMs: number;
  /** Event time of the latest finding. */
  untilMs: number;
  /** Findings folded into it. */
  count: number;
  firedAtMs: number;
  lastSeenMs: number;
  /** Number of its latest transition. */
  transition: number;
  receipt: Receipt;
}

export const severities = ['warning', 'minor', 'major', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Score bands of equal width, as people know them from other tools. */
export function severityOf(score: number): Severity {
  return score >= 75 ? 'critical' : score >= 50 ? 'major' : score >= 25 ? 'minor' : 'warning';
}

/** Matches where every named field fits. Patterns of text may hold `*` for any run of characters. */
export interface Matcher {
  service: string[];
  detector: string[];
  subject: string[];
  lane: string[];
  severity: Severity[];
  scoreMin: number;
}

/** What an alert says of itself. */
export type AlertLabel = 'service' | 'lane' | 'detector' | 'subject' | 'severity';
export const alertLabels: readonly AlertLabel[] = ['service', 'lane', 'detector', 'subject', 'severity'];
/** Alerts may also be told by the incident they are part of. */
export type GroupLabel = AlertLabel | 'incident';
export const groupLabels: readonly GroupLabel[] = [...alertLabels, 'incident'];

export interface Route {
  name: string;
  match: Matcher;
  /** Names of channels. */
  channels: string[];
  groupBy: GroupLabel[];
  /** Wait before the first notification of a group, ms. */
  groupWaitMs: number;
  /** Least time between notifications of a group about news, ms. */
  groupIntervalMs: number;
  /** A group that still fires is told again after this long, ms. */
  repeatIntervalMs: number;
  /** Later routes are tried as well. */
  continue: boolean;
}

export interface Silence {
  id: string;
  match: Matcher;
  untilMs: number;
  comment: string;
}

/** While an alert that fits `source` fires, those that fit `target` and agree in `equal` are kept quiet. */
export interface Inhibition {
  name: string;
  source: Matcher;
  target: Matcher;
  equal: AlertLabel[];
}

/** What the core knows of a channel. */
export interface ChannelPolicy {
  name: string;
  sendResolved: boolean;
  /** Notifications within a minute; what is over is summed up in one. */
  perMinuteMax: number;
}

export interface DecideConfig {
  /** Findings under it raise no alert. */
  scoreMin: number;
  /** An alert is resolved after this long without findings, and with none of its findings going on, ms. */
  resolveAfterMs: number;
  /** Findings of other lanes than `live` (files read later) reach channels as well. */
  notifyBackfill: boolean;
  routes: Route[];
  inhibitions: Inhibition[];
  channels: ChannelPolicy[];
  incidents: IncidentPolicy;
}

export interface IncidentPolicy {
  /** Findings weaker than `scoreMin`, from this score on, may join an incident. */
  memberScoreMin: number;
  /** Onsets further apart are not one incident, ms. */
  gapMs: number;
  /** First and last onset of an incident are at most so far apart, ms. */
  spanMs: number;
  /** Findings may come so much later than others and still find their incident, ms. */
  lateMs: number;
  /** While alerts of the service that began it fire, those of other services in the incident are kept quiet. */
  inhibitSymptoms: boolean;
}

/** The incident behind a notification. */
export type IncidentView = Pick<
  IncidentVersion,
  'incidentId' | 'title' | 'description' | 'score' | 'startedMs' | 'firstMover' | 'services' | 'ranks'
>;

/** An alert as a notification shows it. */
export interface AlertView {
  alertId: string;
  anomalyId: string;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  severity: Severity;
  state: 'firing' | 'resolved';
  score: number;
  actual: number;
  typical: number;
  description: string;
  samples: string[];
  influencers: Influencer[];
  sinceMs: number;
  untilMs: number;
  count: number;
}

export type NotificationReason = 'firing' | 'update' | 'repeat' | 'resolved' | 'summary';

/** What one channel is told at once. Plain JSON. */
export interface Notification {
  /** 32 hex digits of (group, transition, channel): the BullMQ job id, so that a repeat is recognised. */
  id: string;
  channel: string;
  reason: NotificationReason;
  route: string;
  /** Such as `service=checkout`; empty in a summary. */
  groupKey: string;
  atMs: number;
  /** Highest score first, at most `viewsMax`. */
  firing: AlertView[];
  resolved: AlertView[];
  /** Alerts that it speaks of without showing them. */
  more: number;
  /** Services of those, at most `servicesNamedMax`. */
  moreServices: string[];
  /** Where the alerts are part of an incident of several services. */
  incident: IncidentView | null;
  /** Receipt of the newest finding that it tells, for the latency from processing to people; null where none is new. */
  receipt: Receipt | null;
}

export interface Member {
  told: boolean;
  /** How it was when it resolved; null while it fires. */
  resolved: AlertView | null;
}

/** Alerts that one route tells together, from the first firing until all are resolved and told. */
export interface Group {
  id: string;
  route: string;
  key: string;
  openedAtMs: number;
  /** Notifications so far. */
  notifications: number;
  /** Null before the first. */
  notifiedAtMs: number | null;
  /** Highest severity told, as an index into `severities`; -1 before the first. */
  severityTold: number;
  /** When something is to be told, or null. */
  dueMs: number | null;
  /** By fingerprint. */
  members: ReadonlyMap<string, Member>;
}

export interface ChannelState {
  windowStartMs: number;
  sent: number;
  /** Alerts that were not told one by one since the last summary. */
  held: number;
  heldServices: string[];
  summaries: number;
}

export interface Failure {
  id: string;
  channel: string;
  atMs: number;
  attempts: number;
  error: string;
}

/** What people were told of a finding whose alert is over. */
export interface Settled {
  severity: Severity;
}

export interface Totals {
  anomalies: number;
  belowScore: number;
  fired: number;
  resolved: number;
  suppressed: number;
  notifications: number;
  held: number;
  delivered: number;
  failed: number;
  evicted: number;
}

export interface AlertingState {
  /** Stream time: the largest time of any event. */
  nowMs: number;
  /** Alerts that fire, by fingerprint, longest without a finding first. */
  alerts: ReadonlyMap<string, Alert>;
  groups: ReadonlyMap<string, Group>;
  channels: ReadonlyMap<string, ChannelState>;
  silences: ReadonlyMap<string, Silence>;
  /** Notifications that were decided and not yet delivered, oldest first. */
  outbox: ReadonlyMap<string, Notification>;
  /** By anomaly id, latest last: a finding fires once, however late more is said of it. */
  settled: ReadonlyMap<string, Settled>;
  /** The latest that failed for good, newest last. */
  failures: readonly Failure[];
  totals: Readonly<Totals>;
  incidents: IncidentsState;
}

export type AlertingEvent =
  | {
      kind: 'anomalies';
      atMs: number;
      findings: readonly { anomaly: Anomaly; receipt: Receipt }[];
      /** Old news, read after an absence: groups wait until everything was read, and then tell how it stands. */
      catchingUp?: boolean;
    }
  | { kind: 'tick'; atMs: number }
  | { kind: 'silence'; atMs: number; silence: Silence }
  | { kind: 'unsilence'; atMs: number; id: string }
  | { kind: 'delivered'; id: string }
  | { kind: 'undeliverable'; id: string; atMs: number; attempts: number; error: string };

export type Effect =
  | { kind: 'transition'; transition: AlertTransition }
  | { kind: 'incident'; incident: IncidentVersion }
  | { kind: 'notify'; notification: Notification };

/** Alerts that fire at once; the one longest without a finding is resolved when another comes. */
export const alertsMax = 2_000;
/**
 * A finding that goes on is believed to for so long without a word: a silence says nothing until it is over, and may
 * last a night. After that its end is taken to be lost.
 */
export const openMaxMs = 24 * 3_600_000;
/** Findings of alerts that are over, of which more may still be said: twice the alerts there can be, about 200 KiB. */
export const settledMax = 4_000;
/** Notifications that wait for delivery (Redis away); what is over is held for a summary. */
export const outboxMax = 1_000;
/** Alerts shown in one notification: more than anybody reads, and a job stays under about 64 KiB. */
export const viewsMax = 20;
export const servicesNamedMax = 10;
export const failuresMax = 50;
/** Bodies shown with an alert, each cut to this length. */
export const samplesMax = 3;
export const sampleLengthMax = 512;
