/**
 * What the API needs from the rest of the cluster. The cli wires real ones in (storage's queries, the coordinator's
 * view of the cluster, a subscription to the streams); tests give it seeded ones. All times are ms since 1970, all
 * ranges [fromMs, toMs). A query that fails throws a LogweirError (QUERY_FAILED, CLICKHOUSE_UNAVAILABLE, TIMEOUT).
 */
import type {
  AlertItem,
  AlertState,
  AnomalyEvidence,
  AnomalySummary,
  ClusterStatus,
  IncidentItem,
  IncidentSummary,
  CorrectionAct,
  CorrectionDoer,
  CorrectionItem,
  CorrectionPage,
  DeadLetterDetail,
  DeadLetterItem,
  DeadLetterKind,
  LiveEvent,
  LogItem,
  ModelStatus,
  Page,
  ServiceSummary,
  SeverityCounts,
  TemplateItem,
  TimeRange,
  Totals,
} from './types.ts';

/**
 * Keyset paging: `after` is the `next` of the page before (opaque, made by the queries, `[\w.:~-]{1,512}`). Where it
 * is no position that they made, the queries throw an error whose `code` is CURSOR_INVALID.
 */
export interface Paging {
  limit: number;
  after?: string | undefined;
}

export interface AnomalyFilter {
  range: TimeRange;
  service?: string | undefined;
  detector?: string | undefined;
  /** Inclusive, 0–100. */
  scoreMin?: number | undefined;
  /** Only those that go on, or only those that are over. */
  open?: boolean | undefined;
  /** Case-insensitive part of the description, subject or service. */
  text?: string | undefined;
}

/** A finding as it is stored: how long it has lasted depends on when one asks. */
export type StoredAnomaly = Omit<AnomalySummary, 'durationMs'>;
export type StoredEvidence = Omit<AnomalyEvidence, 'durationMs'>;

export interface LogFilter {
  range: TimeRange;
  service?: string | undefined;
  /** Inclusive, 1–24; a record without a severity counts by its predicted one. */
  severityMin?: number | undefined;
  /** Case-insensitive part of the body. */
  text?: string | undefined;
  templateId?: string | undefined;
  traceId?: string | undefined;
  category?: string | undefined;
}

export interface TemplateFilter {
  service?: string | undefined;
  text?: string | undefined;
  templateId?: string | undefined;
  sort: 'count' | 'newest' | 'rarest';
}

export interface AlertFilter {
  range: TimeRange;
  service?: string | undefined;
  state?: AlertState | undefined;
}

export interface IncidentFilter {
  range: TimeRange;
  service?: string | undefined;
  state?: 'open' | 'closed' | undefined;
  scoreMin?: number | undefined;
  /** Fewest services. */
  servicesMin?: number | undefined;
}

/** A step of one service's trend, from the minute rollups; steps without logs may be left out. */
export interface TrendRow {
  service: string;
  /** A multiple of the step. */
  startMs: number;
  logs: number;
  errors: number;
  warns: number;
}

export interface Queries {
  totals(range: TimeRange): Promise<Totals>;
  /** Oldest and newest event time stored; null when nothing is. Cheap: from the rollups. */
  extent(): Promise<{ oldestMs: number; newestMs: number } | null>;
  /** `range` is aligned to `stepMs`, a whole number of minutes. */
  trend(query: { range: TimeRange; stepMs: number; service?: string | undefined }): Promise<TrendRow[]>;
  services(range: TimeRange): Promise<ServiceSummary[]>;
  severities(query: {
    range: TimeRange;
    service?: string | undefined;
  }): Promise<{ service: string; counts: SeverityCounts }[]>;
  /** Those that go on first, then by window start, newest first; whose time touches the range. */
  anomalies(filter: AnomalyFilter, paging: Paging): Promise<Page<StoredAnomaly>>;
  detectors(range: TimeRange, service?: string): Promise<{ detector: string; count: number }[]>;
  anomaly(id: string): Promise<StoredEvidence | null>;
  /** Which of these findings go on. */
  goingOn(anomalyIds: readonly string[]): Promise<string[]>;
  /** By event time, newest first. */
  logs(filter: LogFilter, paging: Paging): Promise<Page<LogItem>>;
  templates(filter: TemplateFilter, paging: Paging): Promise<Page<TemplateItem>>;
  /** The present state of each alert that changed within the range or still fires, newest change first. */
  alerts(filter: AlertFilter, paging: Paging): Promise<Page<AlertItem>>;
  alertsFiring(): Promise<number>;
  /** Those that touch the range or are open, newest beginning first. */
  incidents(filter: IncidentFilter, paging: Paging): Promise<Page<IncidentSummary>>;
  incident(id: string): Promise<IncidentItem | null>;
  /** Present state of alerts about these anomalies. */
  alertsOf(anomalyIds: readonly string[]): Promise<AlertItem[]>;
}

/** Models and corrections. What is asked of it in vain throws a LogweirError (REQUEST_INVALID, LIMIT_REACHED). */
export interface ModelDesk {
  status(): Promise<ModelStatus>;
  corrections(): Promise<CorrectionPage>;
  correct(asked: Omit<CorrectionItem, 'id'>): Promise<CorrectionItem>;
  /** False where there is none of that id. */
  uncorrect(id: string, doer: CorrectionDoer): Promise<boolean>;
  /** Takes the last change of it back; false where nothing is known of it. */
  undo(id: string, doer: CorrectionDoer): Promise<boolean>;
  /** Who did what, newest first; of one correction or of all. */
  history(id: string | undefined): Promise<CorrectionAct[]>;
  /** Asks the leader to train a model; what comes of it is in `status`. */
  train(force: boolean): Promise<void>;
  /** Lets an earlier version serve, by default the one before; gives the one that serves. */
  rollBack(version: number | undefined): Promise<number>;
}

export interface DeadFilter {
  range: TimeRange;
  reason?: string | undefined;
  receiver?: string | undefined;
}

/** Dead letters. The position of a page is the id of its last letter. */
export interface DeadDesk {
  kinds(filter: DeadFilter, stepMs: number): Promise<DeadLetterKind[]>;
  letters(filter: DeadFilter, paging: Paging): Promise<Page<DeadLetterItem>>;
  /** Null where it is gone. */
  letter(id: string): Promise<DeadLetterDetail | null>;
}

export interface LiveSource {
  /** Calls `listener` for every event from now on; returns what ends that. Listeners never throw. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
}

export interface ApiLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface ApiDeps {
  host: string;
  /** 0 = any free port. */
  port: number;
  /** Folder of the built page; undefined = no page, the API only. */
  dashboardDir: string | undefined;
  /** Further names that the Host header may carry on a loopback bind (a proxy's, say); lower case, without port. */
  allowedHosts?: readonly string[];
  queries: Queries;
  cluster: () => ClusterStatus;
  models: ModelDesk;
  dead: DeadDesk;
  live: LiveSource;
  /** What keeps this process from serving, in words; empty = ready. */
  notReady?: () => readonly string[] | Promise<readonly string[]>;
  /** Where logs are sent to, such as http://127.0.0.1:8081/ingest: told to who has sent none yet. */
  ingestUrl?: string;
  /** Prometheus text of this process, the API's own lines aside. */
  metrics?: () => string | Promise<string>;
  /** Wall clock, ms since 1970. */
  clock: () => number;
  log: ApiLog;
}
