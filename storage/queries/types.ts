/** What queries ask and answer. Times are ms since 1970 (UTC), ranges are [fromMs, toMs). */
import type { Influencer, Receipt, SeverityClass } from '#protocol/mod.ts';

export interface TimeRange {
  fromMs: number;
  toMs: number;
}

/** Keyset paging: `after` is the `next` of the page before. */
export interface Paging {
  limit: number;
  after?: string | undefined;
}

/** `next` is opaque; null = nothing further. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

export type SeverityCounts = Record<SeverityClass, number>;

export interface Totals {
  logs: number;
  /** ERROR and FATAL. */
  errors: number;
  warns: number;
  services: number;
  anomalies: number;
}

export interface TrendRow {
  service: string;
  startMs: number;
  logs: number;
  errors: number;
  warns: number;
}

export interface ServiceSummary {
  service: string;
  logs: number;
  errors: number;
  warns: number;
  anomalies: number;
  lastSeenMs: number;
}

export interface AnomalyFilter {
  range: TimeRange;
  service?: string | undefined;
  detector?: string | undefined;
  scoreMin?: number | undefined;
  /** Only those that go on, or only those that are over. */
  open?: boolean | undefined;
  /** Case-insensitive part of description, subject or service. */
  text?: string | undefined;
}

export interface AnomalySummary {
  id: string;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  startMs: number;
  endMs: number;
  decidedAtMs: number;
  score: number;
  actual: number;
  typical: number;
  description: string;
  revised: boolean;
  /** It goes on. */
  open: boolean;
}

export interface AnomalyEvidence extends AnomalySummary {
  influencers: Influencer[];
  samples: string[];
  /** Of the first records that made it, at most 5 of each. */
  traceIds: string[];
  hosts: string[];
  watermarkMs: number;
  lateCount: number;
  /** 0 = not recorded: an anomaly that raised no alert has no `processingMs` and `detectedMs`. */
  receipt: Receipt;
}

export interface LogFilter {
  range: TimeRange;
  service?: string | undefined;
  /** 1–24; a record without a severity counts by its predicted one. */
  severityMin?: number | undefined;
  /** Case-insensitive part of the body. */
  text?: string | undefined;
  templateId?: string | undefined;
  traceId?: string | undefined;
  category?: string | undefined;
}

export interface LogItem {
  timeMs: number;
  /** Nanoseconds within that millisecond. */
  subNs: number;
  service: string;
  severityText: string;
  severityNumber: number;
  predictedSeverityText: string;
  predictedSeverityNumber: number;
  confidence: number;
  category: string;
  body: string;
  templateId: string;
  traceId: string;
  spanId: string;
  attributes: Record<string, string>;
  resource: Record<string, string>;
  lane: string;
  partition: number;
  sequence: number;
}

export interface TemplateFilter {
  service?: string | undefined;
  text?: string | undefined;
  templateId?: string | undefined;
  sort: 'count' | 'newest' | 'rarest';
}

export interface TemplateItem {
  templateId: string;
  service: string;
  template: string;
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  category: string;
  severityText: string;
}

export interface AlertFilter {
  range: TimeRange;
  service?: string | undefined;
  state?: 'firing' | 'resolved' | undefined;
}

/** Where an alert stands now: its last state change. */
export interface AlertItem {
  id: string;
  transition: number;
  state: 'firing' | 'resolved';
  changedMs: number;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  anomalyId: string;
  score: number;
  actual: number;
  typical: number;
  description: string;
  groupKey: string;
  channels: string[];
  suppressedBy: string;
  receipt: Receipt;
}

export interface IncidentFilter {
  range: TimeRange;
  service?: string | undefined;
  state?: 'open' | 'closed' | undefined;
  scoreMin?: number | undefined;
  /** Fewest services. */
  servicesMin?: number | undefined;
}

export interface IncidentSummary {
  id: string;
  state: 'open' | 'closed' | 'merged';
  /** Of one that is `merged`: what it became part of. */
  mergedInto: string;
  lane: string;
  title: string;
  description: string;
  startedMs: number;
  changedMs: number;
  endedMs: number;
  score: number;
  worstAnomalyId: string;
  firstMover: string;
  services: string[];
  ranks: number[];
}

export interface IncidentItem extends IncidentSummary {
  members: {
    anomalyId: string;
    service: string;
    detector: string;
    subject: string;
    score: number;
    onsetFromMs: number;
    onsetByMs: number;
    endMs: number;
    description: string;
  }[];
  more: number;
  clues: { kind: string; value: string; services: string[] }[];
}

export interface WindowItem {
  service: string;
  lane: string;
  startMs: number;
  endMs: number;
  logs: number;
  infos: number;
  warns: number;
  errors: number;
  fatals: number;
  criticals: number;
  errorRate: number;
  warnToInfoRatio: number;
  late: number;
}

export interface Report {
  range: TimeRange;
  totalLogs: number;
  windows: number;
  /** Windows with at least one ERROR or FATAL. */
  errorWindows: number;
  services: ServiceSummary[];
  severities: SeverityCounts;
  /** Templates by how often they were seen, over all time. */
  templates: { template: string; service: string; count: number }[];
  /** Ordered patterns, rules and other things found, by detector and subject. */
  patterns: { detector: string; subject: string; count: number }[];
  anomalies: AnomalySummary[];
  anomaliesTotal: number;
  /** Newest beginning first. */
  incidents: IncidentSummary[];
}

/** What is stored of one partition and generation of LOGS. */
export interface ReconcileRow {
  generation: number;
  partition: number;
  /** Rows found in `otel_logs`, and of them the different sequences. */
  storedRows: number;
  storedSequences: number;
  /** Rows that the writer says it took in. */
  ledgerRows: number;
  duplicates: number;
  deadLetters: number;
  fromSequence: number;
  toSequence: number;
}
