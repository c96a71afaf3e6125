/** What the API shows as it happens: cluster status from heartbeats, anomalies and alerts from core NATS. */
import { type Bus, type KeyValue, streamInfos } from '#bus/mod.ts';
import {
  type AlertItem,
  type AnomalySummary,
  type ClusterStatus,
  type IncidentItem,
  clusterStatus,
  rateSample,
  type LiveEvent,
  type LiveSource,
  withLasting,
} from '#api/mod.ts';
import { type ClusterView, type Coordinator, viewCluster } from '#coordinator/mod.ts';
import {
  type AlertTransition,
  type Anomaly,
  decodeAlerts,
  decodeAnomalies,
  type IncidentVersion,
  keys,
  subjects,
} from '#protocol/mod.ts';

const sampleEveryMs = 1_000;
const streamsEveryMs = 2_000;

export interface LiveView extends LiveSource {
  cluster: () => ClusterStatus;
  stop: () => void;
}

export interface LiveOptions {
  bus: Bus;
  store: KeyValue;
  coordinator: Coordinator;
  partitions: number;
  clock: () => number;
}

export async function startLive(options: LiveOptions): Promise<LiveView> {
  const { bus, store, coordinator, partitions, clock } = options;
  const listeners = new Set<(event: LiveEvent) => void>();
  const push = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };
  let infos: ClusterView['streams'] = [];
  let assignment: Uint8Array | null = null;
  const look = async (): Promise<void> => {
    infos = await streamInfos(bus);
    assignment = (await store.get(keys.assignment))?.value ?? null;
  };
  await look();
  const cluster = (): ClusterStatus =>
    clusterStatus(
      viewCluster({
        membership: coordinator.membership,
        nowMs: clock(),
        partitions,
        leader: coordinator.leaderId,
        assignment,
        streams: infos,
      }),
      clock(),
    );
  const timers = [
    setInterval(() => void look().catch(() => {}), streamsEveryMs),
    setInterval(() => {
      if (listeners.size === 0) return;
      push({ type: 'rate', sample: rateSample(cluster(), clock()) });
    }, sampleEveryMs),
  ];
  const deaf = [
    bus.listen(subjects.live.anomalies, (data) => {
      for (const anomaly of decodeAnomalies(data).anomalies)
        push({ type: 'anomaly', anomaly: withLasting(summaryOf(anomaly), clock()) });
    }),
    bus.listen(subjects.live.alerts, (data) => {
      const { transitions, incidents = [] } = decodeAlerts(data);
      for (const transition of transitions) push({ type: 'alert', alert: alertOf(transition) });
      for (const incident of incidents) push({ type: 'incident', incident: incidentItemOf(incident) });
    }),
  ];
  return {
    cluster,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => {
      for (const timer of timers) clearInterval(timer);
      for (const end of deaf) end();
    },
  };
}

function summaryOf(anomaly: Anomaly): Omit<AnomalySummary, 'durationMs'> {
  return {
    id: anomaly.anomalyId,
    service: anomaly.service,
    lane: anomaly.lane,
    detector: anomaly.detector,
    subject: anomaly.subject,
    startMs: anomaly.startMs,
    endMs: anomaly.endMs,
    decidedAtMs: anomaly.decidedAtMs,
    score: anomaly.score,
    actual: anomaly.actual,
    typical: anomaly.typical,
    description: anomaly.description,
    revised: anomaly.revised,
    open: anomaly.open ?? false,
  };
}

function alertOf({ alertId, atMs, ...rest }: AlertTransition): AlertItem {
  return { ...rest, id: alertId, changedMs: atMs };
}

function incidentItemOf({ incidentId, ...rest }: IncidentVersion): IncidentItem {
  return { ...rest, id: incidentId };
}
