/** Names of streams, subjects and buckets. The only place where they are spelled; dead letters' are in `dead-letter.ts`. */
export const streams = { logs: 'LOGS', results: 'RESULTS', anomalies: 'ANOMALIES', alerts: 'ALERTS' } as const;
/** Dead letters. Apart from the others: nothing depends on it, and nothing waits for it. */
export const deadStream = 'DEAD';
export type StreamName = (typeof streams)[keyof typeof streams] | typeof deadStream;

export const subjects = {
  logs: (partition: number): string => `logs.${partition}`,
  results: (partition: number): string => `results.${partition}`,
  anomalies: (partition: number): string => `anomalies.${partition}`,
  alerts: (shard = 0): string => `alerts.${shard}`,
  /** Core NATS, not stored: logs that applications publish, the service's name behind it, dots and all. */
  incoming: 'logs.in.',
  /** Core NATS, not stored: what the dashboard shows as it happens. */
  live: { alerts: 'live.alerts', anomalies: 'live.anomalies' },
  heartbeat: (role: string, id: string): string => `heartbeat.${role}.${id}`,
  heartbeats: 'heartbeat.>',
} as const;

export const streamSubjects: Record<StreamName, string> = {
  LOGS: 'logs.*',
  RESULTS: 'results.*',
  ANOMALIES: 'anomalies.*',
  ALERTS: 'alerts.*',
  DEAD: 'dead.>',
};

/** The partition that a subject such as `logs.17` names. */
export function partitionOfSubject(subject: string): number {
  return Number(subject.slice(subject.indexOf('.') + 1));
}

export const buckets = {
  /** Cluster facts, leader lease, assignment. */
  cluster: 'logweir_cluster',
  /** Checkpoint pointers by partition. */
  checkpoints: 'logweir_checkpoints',
  /** Readers' marks and in-doubt blocks. */
  marks: 'logweir_marks',
} as const;

export const objectBuckets = {
  checkpoints: 'logweir_state',
  /** Models of the classifier, named by the SHA-256 of their bytes. */
  models: 'logweir_models',
} as const;

export const keys = {
  facts: 'facts',
  leader: 'leader',
  assignment: 'assignment',
  analysisConfig: 'analysis',
  corrections: 'corrections',
  models: 'models',
  training: 'training',
  checkpoint: (partition: number): string => `p.${partition}`,
  writer: 'writer',
  alerting: 'alerting',
} as const;
