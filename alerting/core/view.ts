/** An alert as people are shown it. */
import type { Alert, AlertView } from './types.ts';

export function viewOf(alert: Alert, state: AlertView['state']): AlertView {
  const { alertId, anomalyId, service, lane, detector, subject, severity, score, actual, typical } = alert;
  const { description, samples, influencers, sinceMs, untilMs, count } = alert;
  return {
    alertId,
    anomalyId,
    service,
    lane,
    detector,
    subject,
    severity,
    state,
    score,
    actual,
    typical,
    description,
    samples,
    influencers,
    sinceMs,
    untilMs,
    count,
  };
}
