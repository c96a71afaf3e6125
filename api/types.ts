/**
 * The shapes that the HTTP API answers with: all that the page knows of the cluster. No imports, so
 * that a browser build takes nothing else along. Times are ms since 1970 (UTC), ranges are [fromMs, toMs).
 */

export interface TimeRange {
  fromMs: number;
  toMs: number;
}

/** A page of a keyset-paged list. `next` is opaque: pass it back as `after`; null = nothing further. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

export const severityNames = ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE', 'UNKNOWN'] as const;
export type SeverityName = (typeof severityNames)[number];
export type SeverityCounts = Record<SeverityName, number>;

/** What a time range holds. `errors` counts severities ERROR and FATAL. */
export interface Totals {
  logs: number;
  errors: number;
  warns: number;
  services: number;
  anomalies: number;
}

export interface Overview {
  range: TimeRange;
  totals: Totals;
  /** The range of the same length just before, to compare with. */
  previous: Totals;
  /** Alerts that fire now, whatever the range. */
  alertsFiring: number;
  /** Oldest and newest event time stored at all; null = no log has arrived yet. */
  extent: { oldestMs: number; newestMs: number } | null;
  nowMs: number;
  /** Where logs are sent to, null = not known here. */
  ingestUrl: string | null;
}

/** One line of the trend: the value at index i belongs to the step that starts at `Trend.timesMs[i]`. */
export interface TrendSeries {
  service: string;
  logs: number[];
  errors: number[];
  warns: number[];
}

/** Volume and errors over time, from the minute rollups, one series per service. */
export interface Trend {
  range: TimeRange;
  stepMs: number;
  timesMs: number[];
  /** Largest first. */
  series: TrendSeries[];
  /** The services beyond the limit, added up; null = none. */
  others: (Omit<TrendSeries, 'service'> & { services: number }) | null;
}

export interface ServiceSummary {
  service: string;
  logs: number;
  errors: number;
  warns: number;
  anomalies: number;
  lastSeenMs: number;
}

export interface Services {
  range: TimeRange;
  services: ServiceSummary[];
}

export interface ErrorDistribution {
  range: TimeRange;
  total: SeverityCounts;
  /** Most errors first. */
  services: { service: string; counts: SeverityCounts }[];
  /** Services beyond the limit. */
  omitted: number;
}

export interface AnomalySummary {
  id: string;
  service: string;
  lane: string;
  /** Name of what was found: error_spike, volume_surge, new_template, … */
  detector: string;
  /** What it is about within the detector: a feature, template, pattern or rule; may be ''. */
  subject: string;
  /** When it set in. */
  startMs: number;
  /** When it was over, or, while it goes on, up to when it was seen. */
  endMs: number;
  decidedAtMs: number;
  /** 0–100, the highest so far, as are `actual` and `typical` those of its peak. */
  score: number;
  actual: number;
  typical: number;
  /** One sentence for people. */
  description: string;
  /** Late records changed it after it was decided. */
  revised: boolean;
  /** It goes on. */
  open: boolean;
  /** How long it lasted; while it goes on, up to this answer. */
  durationMs: number;
}

export interface Influencer {
  kind: string;
  name: string;
  /** 0–1. */
  share: number;
}

/** When the finding passed each station, wall-clock ms; 0 = not recorded. */
export interface LatencyReceipt {
  eventMs: number;
  gatewayMs: number;
  processingMs: number;
  detectedMs: number;
}

export interface AnomalyEvidence extends AnomalySummary {
  influencers: Influencer[];
  /** Bodies, cut short. */
  samples: string[];
  /** Of the first records that made it, at most 5 of each. */
  traceIds: string[];
  hosts: string[];
  watermarkMs: number;
  lateCount: number;
  receipt: LatencyReceipt;
}

export interface AnomalyDetail {
  anomaly: AnomalyEvidence;
  /** The range that `logs` was taken from: the anomaly's window with some room around it. */
  logsRange: TimeRange;
  /** Raw logs of the service around the anomaly, newest first; the list continues under /api/v1/logs. */
  logs: LogItem[];
  logsNext: string | null;
}

export interface AnomalyPage extends Page<AnomalySummary> {
  range: TimeRange;
  /** Detectors that found something in the range (other filters aside), most findings first. */
  detectors: { detector: string; count: number }[];
}

export interface LogItem {
  timeMs: number;
  /** Nanoseconds within that millisecond. */
  subNs: number;
  service: string;
  /** The sender's own word, '' = none. */
  severityText: string;
  /** 0–24, 0 = the sender did not say. */
  severityNumber: number;
  /** What the classifier filled in, '' = nothing. */
  predictedSeverityText: string;
  predictedSeverityNumber: number;
  /** 0–1, of the prediction. */
  confidence: number;
  category: string;
  body: string;
  templateId: string;
  traceId: string;
  spanId: string;
  attributes: Record<string, string>;
  resource: Record<string, string>;
  lane: string;
  /** Where it stood in the stream: partition and sequence. */
  partition: number;
  sequence: number;
}

export interface LogPage extends Page<LogItem> {
  range: TimeRange;
}

export interface TemplateItem {
  templateId: string;
  service: string;
  /** Text with `<*>` for variables. */
  template: string;
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  category: string;
  severityText: string;
}

export type TemplatePage = Page<TemplateItem>;

export type AlertState = 'firing' | 'resolved';

/** Where an alert stands now: its last state change. */
export interface AlertItem {
  id: string;
  /** State changes so far, the first firing included. */
  transition: number;
  state: AlertState;
  changedMs: number;
  service: string;
  lane: string;
  detector: string;
  subject: string;
  /** The anomaly it is about, '' = none. */
  anomalyId: string;
  score: number;
  actual: number;
  typical: number;
  description: string;
  groupKey: string;
  /** Channels that were told; empty where a silence or route kept it quiet. */
  channels: string[];
  /** What kept it quiet, '' = nothing. */
  suppressedBy: string;
  receipt: LatencyReceipt;
}

export type AlertPage = Page<AlertItem>;

/** `merged`: it became part of `mergedInto`; told by its id only. */
export type IncidentState = 'open' | 'closed' | 'merged';

/** Findings of one or more services that belong together. */
export interface IncidentSummary {
  id: string;
  state: IncidentState;
  mergedInto: string;
  lane: string;
  /** Such as `payments first, then checkout and web`. */
  title: string;
  description: string;
  startedMs: number;
  changedMs: number;
  endedMs: number;
  /** Of the worst member. */
  score: number;
  worstAnomalyId: string;
  /** The service that certainly began before all others, '' = not known. */
  firstMover: string;
  /** In order of onset. */
  services: string[];
  /** By service: those with the same number began together, as far as is known. */
  ranks: number[];
}

export interface IncidentMember {
  anomalyId: string;
  service: string;
  detector: string;
  subject: string;
  score: number;
  /** It set in between these two. */
  onsetFromMs: number;
  onsetByMs: number;
  endMs: number;
  description: string;
}

export interface IncidentItem extends IncidentSummary {
  /** In order of onset. */
  members: IncidentMember[];
  /** Members that are not listed. */
  more: number;
  /** What services have in common: `id`, `host`, `mention` (a service that others name) or `text`. */
  clues: { kind: string; value: string; services: string[] }[];
}

export type IncidentPage = Page<IncidentSummary>;

export interface IncidentMoment {
  kind: 'onset' | 'end';
  /** It happened between these two. */
  fromMs: number;
  atMs: number;
  anomalyId: string;
  service: string;
  detector: string;
  score: number;
}

export interface IncidentDetail {
  incident: IncidentItem;
  /** Ids of its members that go on. */
  goingOn: string[];
  /** Present state of the alerts of its members. */
  alerts: AlertItem[];
  timeline: IncidentMoment[];
  /** The time to look at in the logs. */
  logsRange: TimeRange;
}

/** A living process of the cluster, by its heartbeat. */
export interface RoleStatus {
  id: string;
  host: string;
  pid: number;
  recordsPerSecond: number;
  heartbeatAgeMs: number;
  rssBytes: number;
  /** Counters since the process started, by name. */
  counters: Record<string, number>;
}

export interface WorkerStatus extends RoleStatus {
  partitions: number[];
  /** Age of the newest message taken, when it was taken, of the slowest partition. */
  lagMs: number;
}

export interface StreamStatus {
  name: string;
  messages: number;
  bytes: number;
  /** 0 = no limit. */
  limitBytes: number;
}

export interface ServiceRate {
  service: string;
  recordsPerSecond: number;
  errorsPerSecond: number;
}

export interface ClusterStatus {
  /** Partitions of the cluster; fixed for its life. */
  partitions: number;
  /** Id of the leading coordinator, null = none known. */
  leader: string | null;
  /** Epoch of the assignment in force, 0 = none yet. */
  epoch: number;
  workers: WorkerStatus[];
  gateways: RoleStatus[];
  /** Storage, alerting, coordinators. */
  others: (RoleStatus & { role: string })[];
  streams: StreamStatus[];
  /** Busiest first. */
  services: ServiceRate[];
  totals: {
    recordsPerSecond: number;
    errorsPerSecond: number;
    /** Of the slowest partition. */
    lagMs: number;
  };
}

/** How one question of classification (severity, category) fares where its truth is known. */
export interface TaskStatus {
  /** Answers whose truth became known, each given before it was learned from. */
  records: number;
  /** Shares of right answers: of all, and of about the last 20 of each service. null: nothing is known yet. */
  accuracy: number | null;
  recentAccuracy: number | null;
  /** Times that a service's error rate rose enough to call it drift. */
  drifts: number;
  /** Most frequent first. */
  confusion: { truth: string; answer: string; records: number }[];
  /** By tenths of confidence. */
  confidence: { from: number; records: number; right: number }[];
  learners: { name: string; weight: number; accuracy: number }[];
}

export interface ModelSummary {
  version: number;
  atMs: number;
  by: string;
  /** SHA-256 of its bytes, hex. */
  hash: string;
  bytes: number;
  /** On records later than those it was trained on; and what served before, on the same. */
  accuracy: number;
  macroF1: number;
  /** Null where people had said no categories to score by. */
  category: TaskSummary | null;
  before: { version: number; accuracy: number; macroF1: number; category: TaskSummary | null };
}

export interface TaskSummary {
  accuracy: number;
  macroF1: number;
}

/** One run of the training job. */
export interface TrainingRunItem {
  trigger: 'asked' | 'schedule' | 'drift';
  by: string;
  startedMs: number;
  /** Null while it runs. */
  endedMs: number | null;
  outcome: 'running' | 'published' | 'not_better' | 'too_little' | 'failed';
  /** Version that it became; 0 = none. */
  version: number;
  detail: string;
}

export interface ModelStatus {
  /** Version that serves, 0 = the built-in model. */
  serving: number;
  /** Whether all partitions that are heard of use it. */
  settled: boolean;
  /** Latest first; without the built-in one. */
  versions: ModelSummary[];
  /** Corrections by people that hold, and how many the cluster carries. */
  corrections: number;
  correctionsMax: number;
  /** The training job: whether it is asked for or runs, and its last runs, latest first. */
  training: { asked: boolean; running: boolean; runs: TrainingRunItem[] };
  severity: TaskStatus;
  category: TaskStatus;
  /** Services that are classified, the lanes of ingest jobs counted too. */
  services: number;
  /** Share of words in new templates that the model has never met; and times that it rose enough to call it drift. */
  unknownWords: number | null;
  wordDrifts: number;
  /** Time to classify a template. `p99Ms` is an upper bound, null = over the largest. */
  latency: { templates: number; meanMs: number | null; p99Ms: number | null };
}

/** What a person says is true of a template or message. */
export interface CorrectionRequest {
  /** One of the two. */
  templateId?: string;
  body?: string;
  /** Default: the one service of the template, else every service. */
  service?: string;
  /** At least one of the two. */
  severity?: string;
  category?: string;
  /** Who says so, default `api`; and why. */
  by?: string;
  why?: string;
}

export interface CorrectionItem {
  id: string;
  /** '' = every service. */
  service: string;
  text: string;
  /** '' = made for a message. */
  templateId: string;
  /** '' = left to the classifier, as is an empty category. */
  severity: '' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  category: string;
  by: string;
  atMs: number;
  /** In the words of whoever made it. */
  why?: string;
}

/** Who does something, when, and why. */
export interface CorrectionDoer {
  by: string;
  atMs: number;
  why: string;
}

/** One thing that a person did with a correction; kept for ever. */
export interface CorrectionAct extends CorrectionDoer {
  kind: 'set' | 'removed';
  version: number;
  /** What was set, or what held until it was removed. */
  correction: CorrectionItem;
}

export interface CorrectionHistory {
  /** Newest first. */
  items: CorrectionAct[];
}

export interface CorrectionPage {
  /** Oldest first. */
  items: CorrectionItem[];
  /** Whether all partitions were told of the last change. */
  settled: boolean;
}

/** What could not be taken, without its bytes. */
export interface DeadLetterItem {
  /** Its number on the stream; `logweir dead show` takes it too. */
  id: string;
  reason: string;
  detail: string;
  receiver: string;
  /** Client address, subject, or position on the stream. */
  source: string;
  /** '' = not known. */
  service: string;
  atMs: number;
  byteCount: number;
  /** The beginning of it in one line, control characters escaped. */
  line: string;
  /** Whether it can be sent again. */
  canRetry: boolean;
}

export interface DeadLetterDetail extends DeadLetterItem {
  /** Control characters escaped, or a hex dump where it is no text. */
  text: string;
  kind: 'text' | 'hex';
  /** Bytes that are not shown. */
  bytesMore: number;
}

/** Letters of one reason and receiver that came within a range, removed ones too. */
export interface DeadLetterKind {
  reason: string;
  receiver: string;
  count: number;
  /** By step of the answer's `stepMs`, from the start of the range. */
  steps: number[];
}

export interface DeadLetters {
  range: TimeRange;
  stepMs: number;
  /** Most first. */
  kinds: DeadLetterKind[];
  /** Newest first, those that are still kept. */
  items: DeadLetterItem[];
  next: string | null;
}

/** A sample of the rates, about once a second. */
export interface RateSample {
  timeMs: number;
  recordsPerSecond: number;
  errorsPerSecond: number;
  services: ServiceRate[];
}

/** What `GET /api/v1/live` pushes: the `type` is the event name, the rest its data. */
export type LiveEvent =
  | { type: 'rate'; sample: RateSample }
  | { type: 'anomaly'; anomaly: AnomalySummary }
  | { type: 'alert'; alert: AlertItem }
  | { type: 'incident'; incident: IncidentItem }
  /** Events that this client was too slow for, since it connected: what it shows is to be fetched again. */
  | { type: 'dropped'; total: number };

/** RFC 9457. `code` is stable; `remedy` says what to do next. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  remedy: string;
  /** Every parameter that is wrong, for QUERY_INVALID. */
  errors?: { parameter: string; detail: string }[];
}
