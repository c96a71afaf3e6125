/** A state in the making: maps are copied when first written, so that the state decided on stays as it was. */
import type { AlertTransition, Anomaly } from '#protocol/mod.ts';
import { advanceIncidents, type IncidentsState, incidentOf } from '../incidents/mod.ts';
import {
  type Alert,
  type AlertingState,
  type ChannelState,
  type DecideConfig,
  type Effect,
  type Failure,
  type Group,
  type Notification,
  openMaxMs,
  type Settled,
  type Silence,
  settledMax,
  type Totals,
} from './types.ts';

class CopyOnWrite<V> {
  private map: ReadonlyMap<string, V>;
  private own: Map<string, V> | null = null;

  constructor(map: ReadonlyMap<string, V>) {
    this.map = map;
  }

  get view(): ReadonlyMap<string, V> {
    return this.own ?? this.map;
  }

  get write(): Map<string, V> {
    this.own ??= new Map(this.map);
    return this.own;
  }
}

export class Draft {
  readonly config: DecideConfig;
  readonly effects: Effect[] = [];
  nowMs: number;
  /** Groups and channels tell nothing in this step. */
  readonly deferring: boolean;
  readonly totals: Totals;
  failures: readonly Failure[];
  incidents: IncidentsState;
  private readonly maps: {
    alerts: CopyOnWrite<Alert>;
    groups: CopyOnWrite<Group>;
    channels: CopyOnWrite<ChannelState>;
    silences: CopyOnWrite<Silence>;
    outbox: CopyOnWrite<Notification>;
    settled: CopyOnWrite<Settled>;
  };

  constructor(state: AlertingState, config: DecideConfig, deferring: boolean) {
    this.config = config;
    this.deferring = deferring;
    this.nowMs = state.nowMs;
    this.totals = { ...state.totals };
    this.failures = state.failures;
    this.incidents = state.incidents;
    this.maps = {
      alerts: new CopyOnWrite(state.alerts),
      groups: new CopyOnWrite(state.groups),
      channels: new CopyOnWrite(state.channels),
      silences: new CopyOnWrite(state.silences),
      outbox: new CopyOnWrite(state.outbox),
      settled: new CopyOnWrite(state.settled),
    };
  }

  get alerts(): ReadonlyMap<string, Alert> {
    return this.maps.alerts.view;
  }
  get groups(): ReadonlyMap<string, Group> {
    return this.maps.groups.view;
  }
  get channels(): ReadonlyMap<string, ChannelState> {
    return this.maps.channels.view;
  }
  get silences(): ReadonlyMap<string, Silence> {
    return this.maps.silences.view;
  }
  get outbox(): ReadonlyMap<string, Notification> {
    return this.maps.outbox.view;
  }
  get settled(): ReadonlyMap<string, Settled> {
    return this.maps.settled.view;
  }

  /** Puts an alert behind all others: it is the one most lately seen. */
  putAlert(alert: Alert): void {
    const { write } = this.maps.alerts;
    write.delete(alert.fingerprint);
    write.set(alert.fingerprint, alert);
  }

  dropAlert(fingerprint: string): void {
    this.maps.alerts.write.delete(fingerprint);
  }

  /** Remembers the finding of an alert that is over; what was remembered longest makes room. */
  settle(anomalyId: string, settled: Settled): void {
    const { write } = this.maps.settled;
    write.delete(anomalyId);
    write.set(anomalyId, settled);
    if (write.size > settledMax) write.delete(write.keys().next().value as string);
  }

  putGroup(group: Group): void {
    this.maps.groups.write.set(group.id, group);
  }

  dropGroup(id: string): void {
    this.maps.groups.write.delete(id);
  }

  putChannel(name: string, channel: ChannelState): void {
    this.maps.channels.write.set(name, channel);
  }

  putSilence(silence: Silence): void {
    this.maps.silences.write.set(silence.id, silence);
  }

  dropSilence(id: string): void {
    this.maps.silences.write.delete(id);
  }

  queue(notification: Notification): void {
    this.maps.outbox.write.set(notification.id, notification);
    this.effects.push({ kind: 'notify', notification });
    this.totals.notifications++;
  }

  unqueue(id: string): void {
    this.maps.outbox.write.delete(id);
  }

  /** Findings are grouped before alerts are made of them, so that an alert knows its incident. */
  groupFindings(anomalies: readonly Anomaly[], atMs: number): void {
    const { incidents, scoreMin, resolveAfterMs } = this.config;
    const config = { ...incidents, scoreMin, quietMs: resolveAfterMs, openMaxMs };
    const { state, rows } = advanceIncidents(this.incidents, anomalies, atMs, config);
    this.incidents = state;
    for (const incident of rows) this.effects.push({ kind: 'incident', incident });
  }

  /** Id of the incident that an alert is part of, '' where it is in none. */
  incidentOf({ lane, anomalyId }: Pick<Alert, 'lane' | 'anomalyId'>): string {
    return incidentOf(this.incidents, lane, anomalyId) ?? '';
  }

  tell(transition: AlertTransition): void {
    this.effects.push({ kind: 'transition', transition });
  }

  finish(): { state: AlertingState; effects: Effect[] } {
    const { nowMs, alerts, groups, channels, silences, outbox, settled, failures, totals, incidents, effects } = this;
    const state = { nowMs, alerts, groups, channels, silences, outbox, settled, failures, totals, incidents };
    return { state, effects };
  }
}
