/**
 * What alerting would have decided about findings of the past: the same decisions, carried out by nobody. Deliveries
 * count as done at once, silences are those of the configuration. Pure.
 */
import type { Anomaly } from '#protocol/mod.ts';
import type { AlertingConfig } from './config/mod.ts';
import { decide } from './core/decide.ts';
import { emptyState } from './core/state.ts';
import type { AlertingEvent, AlertingState, Effect } from './core/types.ts';

/** An alert that fires, with the finding that fired it. */
export interface RehearsedAlert {
  anomaly: Anomaly;
  /** Stream time, ms. */
  atMs: number;
  /** What kept it quiet; '' where people hear of it. */
  suppressedBy: string;
}

/** What a channel would be told on a day (`2026-01-31`, of stream time). */
export interface RehearsedNotifications {
  day: string;
  channel: string;
  count: number;
}

export interface RehearsedIncident {
  incidentId: string;
  startedMs: number;
  services: string[];
  description: string;
}

export interface Rehearsal {
  alerts: RehearsedAlert[];
  notifications: RehearsedNotifications[];
  incidents: RehearsedIncident[];
}

/** Time goes on between findings too: alerts resolve, groups are told again. */
const tickMs = 30_000;

/** @param findings in the order of stream time, ms */
export function rehearse(
  findings: readonly { anomaly: Anomaly; streamMs: number }[],
  config: AlertingConfig,
): Rehearsal {
  const run = new Run(config);
  for (const [atMs, together] of Map.groupBy(findings, ({ streamMs }) => streamMs))
    run.find(
      together.map(({ anomaly }) => anomaly),
      atMs,
    );
  return run.end();
}

class Run {
  private readonly config: AlertingConfig;
  private state: AlertingState = emptyState();
  private nowMs = 0;
  private readonly alerts: RehearsedAlert[] = [];
  private readonly told = new Map<string, RehearsedNotifications>();
  private readonly incidents = new Map<string, RehearsedIncident>();

  constructor(config: AlertingConfig) {
    this.config = config;
  }

  find(anomalies: readonly Anomaly[], atMs: number): void {
    if (this.nowMs === 0)
      for (const silence of this.config.silences) this.apply({ kind: 'silence', atMs, silence }, []);
    else this.passTo(atMs);
    this.nowMs = atMs;
    const findings = anomalies.map((anomaly) => ({
      anomaly,
      receipt: { eventMs: anomaly.eventMs, gatewayMs: 0, processingMs: 0, detectedMs: 0 },
    }));
    this.apply({ kind: 'anomalies', atMs, findings }, anomalies);
  }

  end(): Rehearsal {
    const { resolveAfterMs, incidents } = this.config.decide;
    this.passTo(this.nowMs + Math.max(resolveAfterMs, incidents.lateMs) + tickMs);
    return {
      alerts: this.alerts,
      notifications: [...this.told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one),
      incidents: [...this.incidents.values()].sort(
        (a, b) => a.startedMs - b.startedMs || (a.incidentId < b.incidentId ? -1 : 1),
      ),
    };
  }

  private passTo(atMs: number): void {
    for (let tick = this.nowMs + tickMs; tick < atMs; tick += tickMs) this.apply({ kind: 'tick', atMs: tick }, []);
  }

  private apply(event: AlertingEvent, anomalies: readonly Anomaly[]): void {
    const { state, effects } = decide(this.state, event, this.config.decide);
    this.state = state;
    for (const effect of effects) this.note(effect, anomalies);
    for (const effect of effects)
      if (effect.kind === 'notify') this.apply({ kind: 'delivered', id: effect.notification.id }, []);
  }

  private note(effect: Effect, anomalies: readonly Anomaly[]): void {
    switch (effect.kind) {
      case 'transition': {
        const { transition, state, atMs, suppressedBy, anomalyId } = effect.transition;
        const anomaly = anomalies.find((one) => one.anomalyId === anomalyId);
        if (transition === 1 && state === 'firing' && anomaly !== undefined)
          this.alerts.push({ anomaly, atMs, suppressedBy });
        return;
      }
      case 'notify': {
        const { channel, atMs } = effect.notification;
        const day = new Date(atMs).toISOString().slice(0, 10);
        const key = `${day} ${channel}`;
        this.told.set(key, { day, channel, count: (this.told.get(key)?.count ?? 0) + 1 });
        return;
      }
      case 'incident': {
        const { incidentId, state, startedMs, services, description } = effect.incident;
        if (state === 'merged') this.incidents.delete(incidentId);
        else this.incidents.set(incidentId, { incidentId, startedMs, services, description });
        return;
      }
      default:
        effect satisfies never;
    }
  }
}
