/**
 * The whole of alerting as a function of state and event. Stream time is its only clock: every event first brings
 * about what was due before it, each at its own time and in order, so that a replay of the same findings decides the
 * same however its ticks fell, as long as no tick is ahead of a finding that is still to come.
 */
import { endOf, onFinding, resolve } from './alerts.ts';
import { sendSummary, summaryDueMs } from './channels.ts';
import { Draft } from './draft.ts';
import { flush, reconsiderUntold } from './groups.ts';
import {
  type Alert,
  type AlertingEvent,
  type AlertingState,
  type DecideConfig,
  type Effect,
  failuresMax,
  type Group,
} from './types.ts';

export function decide(
  state: AlertingState,
  event: AlertingEvent,
  config: DecideConfig,
): { state: AlertingState; effects: Effect[] } {
  const draft = new Draft(state, config, event.kind === 'anomalies' && event.catchingUp === true);
  if ('atMs' in event && event.kind !== 'undeliverable') advance(draft, event.atMs);
  apply(draft, event);
  advance(draft, draft.nowMs);
  return draft.finish();
}

function apply(draft: Draft, event: AlertingEvent): void {
  switch (event.kind) {
    case 'anomalies':
      draft.groupFindings(
        event.findings.map(({ anomaly }) => anomaly),
        draft.nowMs,
      );
      for (const { anomaly, receipt } of event.findings) onFinding(draft, anomaly, receipt);
      return;
    case 'tick':
      draft.groupFindings([], draft.nowMs);
      return;
    case 'silence':
      if (event.silence.untilMs > draft.nowMs) draft.putSilence(event.silence);
      return;
    case 'unsilence':
      if (!draft.silences.has(event.id)) return;
      draft.dropSilence(event.id);
      reconsiderUntold(draft);
      return;
    case 'delivered':
      if (!draft.outbox.has(event.id)) return;
      draft.unqueue(event.id);
      draft.totals.delivered++;
      return;
    case 'undeliverable': {
      const notification = draft.outbox.get(event.id);
      if (notification === undefined) return;
      draft.unqueue(event.id);
      draft.totals.failed++;
      const { id, atMs, attempts, error } = event;
      const failure = { id, channel: notification.channel, atMs, attempts, error };
      draft.failures = [...draft.failures, failure].slice(-failuresMax);
      return;
    }
    default:
      event satisfies never;
  }
}

/** Brings about everything due up to `toMs`, in order of time. */
function advance(draft: Draft, toMs: number): void {
  for (;;) {
    const due = earliest(draft);
    if (due === null || due.atMs > toMs) break;
    draft.nowMs = Math.max(draft.nowMs, due.atMs);
    bringAbout(draft, due);
  }
  draft.nowMs = Math.max(draft.nowMs, toMs);
}

type Due =
  | { kind: 'end'; atMs: number; alert: Alert }
  | { kind: 'silence'; atMs: number; id: string }
  | { kind: 'group'; atMs: number; group: Group }
  | { kind: 'summary'; atMs: number; channel: string };

function bringAbout(draft: Draft, due: Due): void {
  switch (due.kind) {
    case 'end':
      resolve(draft, due.alert, due.atMs);
      if (draft.config.inhibitions.length > 0) reconsiderUntold(draft);
      return;
    case 'silence':
      draft.dropSilence(due.id);
      reconsiderUntold(draft);
      return;
    case 'group':
      flush(draft, due.group);
      return;
    case 'summary':
      sendSummary(draft, due.channel);
      return;
    default:
      due satisfies never;
  }
}

/** Ends of alerts come before notifications of the same moment, so that those tell the newest. */
function earliest(draft: Draft): Due | null {
  let due: Due | null = null;
  let atMs = Number.POSITIVE_INFINITY;
  // Alerts stand in the order in which they were last seen: the first of a kind is the first to be quiet for long enough.
  const kinds = new Set<boolean>();
  for (const alert of draft.alerts.values()) {
    if (kinds.size === 2) break;
    const isOpen = alert.openId !== '';
    if (kinds.has(isOpen)) continue;
    kinds.add(isOpen);
    const endMs = endOf(alert, draft.config);
    if (endMs >= atMs) continue;
    atMs = endMs;
    due = { kind: 'end', atMs, alert };
  }
  for (const { id, untilMs } of draft.silences.values()) {
    if (untilMs >= atMs) continue;
    atMs = untilMs;
    due = { kind: 'silence', atMs, id };
  }
  if (draft.deferring) return due;
  for (const group of draft.groups.values()) {
    if (group.dueMs === null || group.dueMs >= atMs) continue;
    atMs = group.dueMs;
    due = { kind: 'group', atMs, group };
  }
  for (const [channel, state] of draft.channels) {
    const summaryMs = summaryDueMs(state);
    if (summaryMs === null || summaryMs >= atMs) continue;
    atMs = summaryMs;
    due = { kind: 'summary', atMs, channel };
  }
  return due;
}
