/** Which alerts a matcher speaks of, and what keeps an alert quiet. */
import { globOf } from '#protocol/mod.ts';
import { incidentNow, incidentOf } from '../incidents/mod.ts';
import {
  type Alert,
  type AlertingState,
  type DecideConfig,
  type GroupLabel,
  type Matcher,
  type Route,
} from './types.ts';

type Labels = Pick<Alert, 'service' | 'lane' | 'detector' | 'subject' | 'severity' | 'score'>;

export function matches(matcher: Matcher, labels: Labels): boolean {
  return (
    labels.score >= matcher.scoreMin &&
    fits(matcher.service, labels.service) &&
    fits(matcher.detector, labels.detector) &&
    fits(matcher.subject, labels.subject) &&
    fits(matcher.lane, labels.lane) &&
    (matcher.severity.length === 0 || matcher.severity.includes(labels.severity))
  );
}

/** An empty list fits anything. */
function fits(patterns: readonly string[], text: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => globOf(pattern)(text));
}

/** Routes that take an alert: the first that fits, and later ones as long as each says `continue`. */
export function routesOf(config: DecideConfig, labels: Labels): Route[] {
  const taken: Route[] = [];
  for (const route of config.routes) {
    if (!matches(route.match, labels)) continue;
    taken.push(route);
    if (!route.continue) break;
  }
  return taken;
}

/** An alert without an incident (its finding was forgotten) is told with its service. */
export function groupKeyOf(groupBy: readonly GroupLabel[], labels: Labels, incident: string): string {
  return groupBy
    .map((label) => {
      if (label !== 'incident') return `${label}=${labels[label]}`;
      return incident === '' ? `service=${labels.service}` : `incident=${incident}`;
    })
    .join(',');
}

/** Why nobody is told of an alert now: `silence:…`, `inhibition:…`, `lane`, `route`, or '' where people are told. */
export function suppressionOf(
  state: Pick<AlertingState, 'alerts' | 'silences' | 'incidents'>,
  config: DecideConfig,
  alert: Alert,
): string {
  if (alert.lane !== 'live' && !config.notifyBackfill) return 'lane';
  for (const silence of state.silences.values()) if (matches(silence.match, alert)) return `silence:${silence.id}`;
  for (const rule of config.inhibitions) {
    if (!matches(rule.target, alert) || matches(rule.source, alert)) continue;
    for (const other of state.alerts.values()) {
      if (matches(rule.source, other) && rule.equal.every((label) => other[label] === alert[label]))
        return `inhibition:${rule.name}`;
    }
  }
  if (config.incidents.inhibitSymptoms) {
    const incident = symptomOf(state, alert);
    if (incident !== '') return `incident:${incident}`;
  }
  // Without any channel there is nobody to keep quiet for: the alert is printed and shown on the page.
  if (config.channels.length > 0 && routesOf(config, alert).length === 0) return 'route';
  return '';
}

/** The incident of which another service certainly began, and still fires; '' where there is none. */
function symptomOf({ alerts, incidents }: Pick<AlertingState, 'alerts' | 'incidents'>, alert: Alert): string {
  const id = incidentOf(incidents, alert.lane, alert.anomalyId);
  const incident = id === null ? null : incidentNow(incidents, alert.lane, id);
  if (incident === null || incident.firstMover === '' || incident.firstMover === alert.service) return '';
  for (const other of alerts.values())
    if (other.service === incident.firstMover && incidentOf(incidents, other.lane, other.anomalyId) === id)
      return incident.incidentId;
  return '';
}
