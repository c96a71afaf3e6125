/** Every question that Logweir itself asks of what is stored. Works over any adapter of the ClickHouse port. */
import { HttpClickHouse } from '../engine/http.ts';
import type { ClickHouse } from '../engine/port.ts';
import type { CorrectionAct } from '#protocol/mod.ts';
import { type ActFilter, correctionActs } from './corrections.ts';
import * as findings from './findings.ts';
import * as past from './history.ts';
import * as incidents from './incidents.ts';
import { logs } from './logs.ts';
import { reconcile, report } from './report.ts';
import { type TrainingHistory, trainingHistory } from './training.ts';
import * as trends from './trends.ts';
import type * as Types from './types.ts';

export { CursorError } from './ask.ts';
export type * from './types.ts';
export type { FiredAlert, FiredAnomaly, HistoryFilter, HistoryPartition } from './history.ts';
export type { TrainingHistory, TrainingTemplate } from './training.ts';
export type { TrendQuery } from './trends.ts';

/** Methods throw `ClickHouseError`, and `CursorError` where `after` is no position of theirs. */
export class Queries {
  readonly clickHouse: ClickHouse;

  constructor(clickHouse: ClickHouse) {
    this.clickHouse = clickHouse;
  }

  /** @param url `http://user:password@host:8123` */
  static overUrl(url: string): Queries {
    return new Queries(new HttpClickHouse({ url }));
  }

  totals(range: Types.TimeRange): Promise<Types.Totals> {
    return trends.totals(this.clickHouse, range);
  }
  /** Oldest and newest event time stored; null when nothing is. */
  extent(): Promise<{ oldestMs: number; newestMs: number } | null> {
    return trends.extent(this.clickHouse);
  }
  trend(query: trends.TrendQuery): Promise<Types.TrendRow[]> {
    return trends.trend(this.clickHouse, query);
  }
  services(range: Types.TimeRange): Promise<Types.ServiceSummary[]> {
    return trends.services(this.clickHouse, range);
  }
  severities(query: {
    range: Types.TimeRange;
    service?: string | undefined;
  }): Promise<{ service: string; counts: Types.SeverityCounts }[]> {
    return trends.severities(this.clickHouse, query);
  }
  anomalies(filter: Types.AnomalyFilter, paging: Types.Paging): Promise<Types.Page<Types.AnomalySummary>> {
    return findings.anomalies(this.clickHouse, filter, paging);
  }
  detectors(range: Types.TimeRange, service?: string): Promise<{ detector: string; count: number }[]> {
    return findings.detectors(this.clickHouse, range, service);
  }
  anomaly(id: string): Promise<Types.AnomalyEvidence | null> {
    return findings.anomaly(this.clickHouse, id);
  }
  goingOn(anomalyIds: readonly string[]): Promise<string[]> {
    return findings.goingOn(this.clickHouse, anomalyIds);
  }
  windows(query: Parameters<typeof findings.windows>[1]): Promise<Types.WindowItem[]> {
    return findings.windows(this.clickHouse, query);
  }
  logs(filter: Types.LogFilter, paging: Types.Paging): Promise<Types.Page<Types.LogItem>> {
    return logs(this.clickHouse, filter, paging);
  }
  templates(filter: Types.TemplateFilter, paging: Types.Paging): Promise<Types.Page<Types.TemplateItem>> {
    return findings.templates(this.clickHouse, filter, paging);
  }
  alerts(filter: Types.AlertFilter, paging: Types.Paging): Promise<Types.Page<Types.AlertItem>> {
    return findings.alerts(this.clickHouse, filter, paging);
  }
  alertsFiring(): Promise<number> {
    return findings.alertsFiring(this.clickHouse);
  }
  incidents(filter: Types.IncidentFilter, paging: Types.Paging): Promise<Types.Page<Types.IncidentSummary>> {
    return incidents.incidents(this.clickHouse, filter, paging);
  }
  incident(id: string): Promise<Types.IncidentItem | null> {
    return incidents.incident(this.clickHouse, id);
  }
  /** Present state of alerts about these anomalies. */
  alertsOf(anomalyIds: readonly string[]): Promise<Types.AlertItem[]> {
    return findings.alertsOf(this.clickHouse, anomalyIds);
  }
  /** What people did with corrections, newest first; or of each the last. */
  correctionActs(filter: ActFilter | 'last of each' = {}): Promise<CorrectionAct[]> {
    return correctionActs(this.clickHouse, filter);
  }
  report(range: Types.TimeRange, limits?: Parameters<typeof report>[2]): Promise<Types.Report> {
    return report(this.clickHouse, range, limits);
  }
  /** What the classifier can be trained on; null where no record of the range has a severity. */
  training(range: Types.TimeRange, share: number): Promise<TrainingHistory | null> {
    return trainingHistory(this.clickHouse, range, share);
  }
  /** Stored records, as the messages that they came in: what analysis over the past reads. */
  historyPartitions(filter: past.HistoryFilter): Promise<past.HistoryPartition[]> {
    return past.historyPartitions(this.clickHouse, filter);
  }
  history(filter: past.HistoryFilter, partition: number): ReturnType<typeof past.history> {
    return past.history(this.clickHouse, filter, partition);
  }
  firedAnomalies(filter: past.HistoryFilter): Promise<past.FiredAnomaly[]> {
    return past.firedAnomalies(this.clickHouse, filter);
  }
  firedAlerts(filter: past.HistoryFilter): Promise<past.FiredAlert[]> {
    return past.firedAlerts(this.clickHouse, filter);
  }
  reconcile(): Promise<Types.ReconcileRow[]> {
    return reconcile(this.clickHouse);
  }
}
