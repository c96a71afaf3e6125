/**
 * What a worker finds out about a stream: closed windows, templates, anomalies. Times are ms since 1970.
 * These are the shapes on RESULTS and ANOMALIES and, one to one, the rows of `windows_versions`,
 * `templates_versions` and `anomalies_versions`.
 */

/** Rolling statistics of one feature over the last 5 minutes of windows (this one included). */
export interface Rolling {
  min: number;
  max: number;
  mean: number;
  std: number;
  p95: number;
}

/** One tumbling window of a service and lane, as it stands at `version`; a later version replaces it. */
export interface WindowRow {
  service: string;
  lane: string;
  startMs: number;
  endMs: number;
  logCount: number;
  infoCount: number;
  warnCount: number;
  /** Severity 17–20, critical included. */
  errorCount: number;
  /** Severity 21–24. */
  fatalCount: number;
  /** Severity 18–20 (syslog crit and alert); a part of errorCount. */
  criticalCount: number;
  debugCount: number;
  /** (error + fatal) / log, 0 for an empty window. */
  errorRate: number;
  /** warn / max(info, 1). */
  warnToInfoRatio: number;
  /** Different templates seen. */
  templateCount: number;
  /** Templates seen for the first time by this service and lane. */
  newTemplateCount: number;
  /** Numeric values found in messages (latencies, sizes): how many, and their statistics; 0 when none. */
  valueCount: number;
  valueMean: number;
  valueP95: number;
  valueMax: number;
  /** Rolling statistics by feature name: logCount, errorCount, warnCount, fatalCount, criticalCount, errorRate, warnToInfoRatio. */
  rolling: Record<string, Rolling>;
  /** Records that came after the window had closed and revised it. */
  lateCount: number;
  /** LOGS sequence of the message that caused this version. */
  version: number;
}

/** A template of a service. The id stays while the text generalises; a merge is recorded in `mergedInto`. */
export interface TemplateRow {
  /** 16 hex digits, from the content at birth. */
  templateId: string;
  service: string;
  lane: string;
  /** Text with `<*>` for variables. */
  template: string;
  firstSeenMs: number;
  lastSeenMs: number;
  count: number;
  /** Id of the template that this one became part of, or ''. */
  mergedInto: string;
  category: string;
  severityText: string;
  version: number;
}

/** What contributed to an anomaly: a template, a feature, a host … and how much of it (0–1). */
export interface Influencer {
  kind: 'template' | 'feature' | 'severity' | 'event';
  name: string;
  share: number;
}

/** Finding of a detector, with its evidence. The id derives from what it is about, so a repeat is the same anomaly. */
export interface Anomaly {
  /** 16 hex digits of (service, lane, detector, subject, window start). */
  anomalyId: string;
  service: string;
  lane: string;
  /** Name of what was found: error_spike, volume_surge, new_template, latency_creep, silence, … */
  detector: string;
  /** What it is about within the detector: a feature, a template id, a pattern or rule name; may be ''. */
  subject: string;
  startMs: number;
  endMs: number;
  /** Event time of the record (or end of the window) that decided it, in ms. */
  decidedAtMs: number;
  /** 0–100. */
  score: number;
  actual: number;
  typical: number;
  /** One sentence for people. */
  description: string;
  influencers: Influencer[];
  /** Up to 3 bodies, each cut to 512 characters. */
  samples: string[];
  /** Of the first records that made it, at most 5 of each; left out where none are known. */
  traceIds?: string[];
  hosts?: string[];
  /** Event-time watermark it was decided on, in ms. */
  watermarkMs: number;
  lateCount: number;
  /** An anomaly that late records changed says so. */
  revised: boolean;
  /** It goes on, and a version that says otherwise will follow, however much later. Left out: nothing is said of it. */
  open?: boolean;
  version: number;
  /** Event time of the record (last of the window) that triggered it; first hop of the latency receipt. */
  eventMs: number;
}

/**
 * When an anomaly passed each station, in wall-clock ms: metadata of the shell, outside ids and comparisons.
 * gatewayMs: gateway took the record; processingMs: worker took the message; detectedMs: anomaly was decided.
 */
export interface Receipt {
  eventMs: number;
  gatewayMs: number;
  processingMs: number;
  detectedMs: number;
}
