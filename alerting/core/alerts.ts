/**
 * An alert's life: it fires at its first finding, folds repeats, rises with their score, and resolves after quiet time,
 * which begins when no finding of it goes on any more. More said of a finding whose alert is over fires nothing, unless
 * it became graver than people were told.
 */
import type { AlertTransition, Anomaly, Receipt } from '#protocol/mod.ts';
import type { Draft } from './draft.ts';
import { forget, joinGroups, resolveInGroups } from './groups.ts';
import { alertIdOf, fingerprintOf } from './ids.ts';
import { groupKeyOf, routesOf, suppressionOf } from './match.ts';
import {
  type Alert,
  alertsMax,
  type DecideConfig,
  openMaxMs,
  type Severity,
  sampleLengthMax,
  samplesMax,
  severities,
  severityOf,
} from './types.ts';
import { viewOf } from './view.ts';

export function onFinding(draft: Draft, anomaly: Anomaly, receipt: Receipt): void {
  draft.totals.anomalies++;
  const fingerprint = fingerprintOf(anomaly);
  const known = draft.alerts.get(fingerprint);
  if (known !== undefined) {
    refresh(draft, known, anomaly, receipt);
    return;
  }
  if (anomaly.score < draft.config.scoreMin) {
    draft.totals.belowScore++;
    return;
  }
  // Late records changed a finding whose alert is over: that is about the past, and nobody has to get up for it.
  if (anomaly.revised && anomaly.lane === 'live' && draft.nowMs - anomaly.decidedAtMs > draft.config.resolveAfterMs)
    return;
  const settled = draft.settled.get(anomaly.anomalyId);
  if (settled !== undefined && rankOf(severityOf(anomaly.score)) <= rankOf(settled.severity)) return;
  fire(draft, fingerprint, anomaly, receipt);
}

function fire(draft: Draft, fingerprint: string, anomaly: Anomaly, receipt: Receipt): void {
  if (draft.alerts.size >= alertsMax) evictOldest(draft);
  const alert: Alert = {
    alertId: alertIdOf(anomaly, draft.nowMs),
    fingerprint,
    service: anomaly.service,
    lane: anomaly.lane,
    detector: anomaly.detector,
    subject: anomaly.subject,
    ...evidenceOf(anomaly),
    anomalyId: anomaly.anomalyId,
    openId: anomaly.open === true ? anomaly.anomalyId : '',
    sinceMs: anomaly.startMs,
    untilMs: anomaly.endMs,
    count: 1,
    firedAtMs: draft.nowMs,
    lastSeenMs: draft.nowMs,
    transition: 1,
    receipt,
  };
  draft.putAlert(alert);
  draft.totals.fired++;
  const suppressedBy = suppressionOf(draft, draft.config, alert);
  if (suppressedBy !== '') draft.totals.suppressed++;
  draft.tell(transitionOf(draft, alert, 'firing', draft.nowMs, suppressedBy));
  if (suppressedBy !== 'lane') joinGroups(draft, alert);
}

function refresh(draft: Draft, known: Alert, anomaly: Anomaly, receipt: Receipt): void {
  const higher = anomaly.score > known.score;
  const rises = higher && rankOf(severityOf(anomaly.score)) > rankOf(known.severity);
  const { anomalyId } = anomaly;
  // A finding that the alert went over from may have more to say, but is told.
  if (anomalyId !== known.anomalyId) draft.settle(known.anomalyId, { severity: known.severity });
  const alert: Alert = {
    ...known,
    ...(higher ? evidenceOf(anomaly) : {}),
    anomalyId,
    openId: anomaly.open === true ? anomalyId : known.openId === anomalyId ? '' : known.openId,
    untilMs: Math.max(known.untilMs, anomaly.endMs),
    sinceMs: Math.min(known.sinceMs, anomaly.startMs),
    lastSeenMs: draft.nowMs,
    count: known.count + 1,
    transition: rises ? known.transition + 1 : known.transition,
    receipt: rises ? receipt : known.receipt,
  };
  draft.putAlert(alert);
  if (!rises) return;
  const suppressedBy = suppressionOf(draft, draft.config, alert);
  draft.tell(transitionOf(draft, alert, 'firing', draft.nowMs, suppressedBy));
  if (suppressedBy !== 'lane') joinGroups(draft, alert);
}

export function resolve(draft: Draft, alert: Alert, atMs: number): void {
  const suppressedBy = suppressionOf(draft, draft.config, alert);
  const resolved: Alert = { ...alert, transition: alert.transition + 1 };
  drop(draft, alert);
  draft.totals.resolved++;
  draft.tell(transitionOf(draft, resolved, 'resolved', atMs, suppressedBy));
  resolveInGroups(draft, alert, viewOf(resolved, 'resolved'), suppressedBy !== '');
}

/** Makes room. The alert is written as resolved; who was not told of it yet hears of it in a summary. */
function evictOldest(draft: Draft): void {
  const oldest = draft.alerts.values().next().value;
  if (oldest === undefined) return;
  const suppressedBy = suppressionOf(draft, draft.config, oldest);
  drop(draft, oldest);
  draft.totals.evicted++;
  const description = `${oldest.description} (closed early: more than ${alertsMax} alerts at once)`;
  const closed = { ...oldest, transition: oldest.transition + 1, description };
  draft.tell(transitionOf(draft, closed, 'resolved', draft.nowMs, suppressedBy));
  forget(draft, oldest, suppressedBy !== '');
}

function drop(draft: Draft, { fingerprint, anomalyId, openId, severity }: Alert): void {
  draft.dropAlert(fingerprint);
  for (const id of new Set([openId, anomalyId])) if (id !== '') draft.settle(id, { severity });
}

/** When an alert is over if nothing more is heard, ms. */
export function endOf({ openId, lastSeenMs }: Alert, { resolveAfterMs }: DecideConfig): number {
  return lastSeenMs + (openId === '' ? resolveAfterMs : Math.max(openMaxMs, resolveAfterMs));
}

function rankOf(severity: Severity): number {
  return severities.indexOf(severity);
}

function evidenceOf(
  anomaly: Anomaly,
): Pick<Alert, 'severity' | 'score' | 'actual' | 'typical' | 'description' | 'influencers' | 'samples'> {
  return {
    severity: severityOf(anomaly.score),
    score: anomaly.score,
    actual: anomaly.actual,
    typical: anomaly.typical,
    description: anomaly.description,
    influencers: anomaly.influencers.slice(0, 5),
    samples: anomaly.samples.slice(0, samplesMax).map((sample) => sample.slice(0, sampleLengthMax)),
  };
}

function transitionOf(
  draft: Draft,
  alert: Alert,
  state: 'firing' | 'resolved',
  atMs: number,
  suppressedBy: string,
): AlertTransition {
  const routes = routesOf(draft.config, alert);
  const { alertId, service, lane, detector, subject, anomalyId, score, actual, typical, description, receipt } = alert;
  return {
    alertId,
    transition: alert.transition,
    state,
    atMs,
    service,
    lane,
    detector,
    subject,
    anomalyId,
    score,
    actual,
    typical,
    description,
    groupKey: groupKeyOf(routes[0]?.groupBy ?? ['service'], alert, draft.incidentOf(alert)),
    channels: suppressedBy === '' ? [...new Set(routes.flatMap((route) => route.channels))] : [],
    suppressedBy,
    receipt,
  };
}
