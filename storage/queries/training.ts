/** What the classifier can be trained on: templates with the severities that their senders gave. */
import type { ClickHouse } from '../engine/port.ts';
import { rowsOf } from './ask.ts';
import type { TimeRange } from './types.ts';

export interface TrainingTemplate {
  service: string;
  templateId: string;
  text: string;
  severity: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /** Records of it before the split, and from it on. */
  early: number;
  late: number;
}

export interface TrainingHistory {
  range: TimeRange;
  /** Event time at which the later slice begins, ms. */
  splitMs: number;
  /** Most records first. */
  templates: TrainingTemplate[];
}

/** Templates read at most; a model is trained on 20,000. */
const templatesMax = 50_000;

/** Splits a range by time so that about `share` of its labelled records come before. Null: no record has a severity. */
export async function trainingHistory(
  clickHouse: ClickHouse,
  range: TimeRange,
  share: number,
): Promise<TrainingHistory | null> {
  const within = `SeverityNumber > 0
    AND TimestampTime >= fromUnixTimestamp64Milli({fromMs:Int64}) AND TimestampTime < fromUnixTimestamp64Milli({toMs:Int64})`;
  const [extent] = await rowsOf<{ records: number; fromMs: number; toMs: number; splitMs: number }>(
    clickHouse,
    `SELECT count() AS records, toInt64(toUnixTimestamp(min(TimestampTime))) * 1000 AS fromMs,
       (toInt64(toUnixTimestamp(max(TimestampTime))) + 1) * 1000 AS toMs,
       toInt64(ifNotFinite(quantile({share:Float64})(toUnixTimestamp(TimestampTime)), 0)) * 1000 AS splitMs
     FROM logweir.otel_logs WHERE ${within}`,
    { ...range, share },
  );
  if (extent === undefined || extent.records === 0) return null;
  const { fromMs, toMs, splitMs } = extent;
  const templates = await rowsOf<TrainingTemplate>(
    clickHouse,
    `SELECT l.service AS service, l.templateId AS templateId, if(t.text = '', l.body, t.text) AS text,
       l.severity AS severity, l.early AS early, l.late AS late
     FROM (
       SELECT toString(ServiceName) AS service, toString(TemplateId) AS templateId,
         multiIf(SeverityNumber <= 8, 'DEBUG', SeverityNumber <= 12, 'INFO', SeverityNumber <= 16, 'WARN', 'ERROR') AS severity,
         countIf(TimestampTime < fromUnixTimestamp64Milli({splitMs:Int64})) AS early,
         countIf(TimestampTime >= fromUnixTimestamp64Milli({splitMs:Int64})) AS late,
         substring(min(Body), 1, 1024) AS body
       FROM logweir.otel_logs WHERE ${within} GROUP BY service, templateId, severity
       ORDER BY early + late DESC, service, templateId, severity LIMIT {templatesMax:UInt32}
     ) AS l
     LEFT JOIN (
       SELECT toString(ServiceName) AS service, TemplateId AS templateId, argMax(Template, LastSeen) AS text
       FROM logweir.templates GROUP BY service, templateId
     ) AS t ON t.service = l.service AND t.templateId = l.templateId
     ORDER BY early + late DESC, service, templateId, severity`,
    { ...range, splitMs, templatesMax },
  );
  return { range: { fromMs, toMs }, splitMs, templates };
}
