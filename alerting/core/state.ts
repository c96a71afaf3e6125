/** The state at its start, and as plain data for a checkpoint. */
import { emptyIncidents, restoreIncidents, snapshotOfIncidents } from '../incidents/mod.ts';
import type { Alert, AlertingState, Group } from './types.ts';

export function emptyState(nowMs = 0): AlertingState {
  return {
    nowMs,
    alerts: new Map(),
    groups: new Map(),
    channels: new Map(),
    silences: new Map(),
    outbox: new Map(),
    settled: new Map(),
    failures: [],
    totals: {
      anomalies: 0,
      belowScore: 0,
      fired: 0,
      resolved: 0,
      suppressed: 0,
      notifications: 0,
      held: 0,
      delivered: 0,
      failed: 0,
      evicted: 0,
    },
    incidents: emptyIncidents(),
  };
}

/** Lists instead of maps; the order of entries is part of the state. */
export interface AlertingSnapshot {
  nowMs: number;
  alerts: [string, unknown][];
  groups: [string, unknown][];
  channels: [string, unknown][];
  silences: [string, unknown][];
  outbox: [string, unknown][];
  failures: unknown[];
  totals: Record<string, number>;
  /** Left out by versions from before there were incidents. */
  incidents?: unknown;
  /** Left out by versions in which a finding could fire again. */
  settled?: [string, unknown][];
}

export function snapshotOf(state: AlertingState): AlertingSnapshot {
  const groups = [...state.groups].map(([id, group]): [string, unknown] => [
    id,
    { ...group, members: [...group.members] },
  ]);
  return {
    nowMs: state.nowMs,
    alerts: [...state.alerts],
    groups,
    channels: [...state.channels],
    silences: [...state.silences],
    outbox: [...state.outbox],
    failures: [...state.failures],
    totals: { ...state.totals },
    incidents: snapshotOfIncidents(state.incidents),
    settled: [...state.settled],
  };
}

export function restoreState(snapshot: AlertingSnapshot): AlertingState {
  const fresh = emptyState(snapshot.nowMs);
  const groups = (snapshot.groups as [string, Group & { members: Group['members'] }][]).map(
    ([id, group]): [string, Group] => [id, { ...group, members: new Map(group.members) }],
  );
  // Versions in which a finding could fire again did not say what goes on.
  const alerts = (snapshot.alerts as [string, Alert][]).map(([fingerprint, alert]): [string, Alert] => [
    fingerprint,
    { ...alert, openId: alert.openId ?? '' },
  ]);
  return {
    nowMs: snapshot.nowMs,
    alerts: new Map(alerts),
    groups: new Map(groups),
    channels: new Map(snapshot.channels) as AlertingState['channels'],
    silences: new Map(snapshot.silences) as AlertingState['silences'],
    outbox: new Map(snapshot.outbox) as AlertingState['outbox'],
    settled: new Map(snapshot.settled) as AlertingState['settled'],
    failures: snapshot.failures as AlertingState['failures'],
    totals: { ...fresh.totals, ...snapshot.totals },
    incidents: restoreIncidents(snapshot.incidents),
  };
}
