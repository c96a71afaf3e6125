/** What people read: what, where, how much against what is usual, since when, and where to look. */
import type { AlertView, IncidentView, Notification } from '../core/types.ts';

const sampleShownMax = 300;
/** The page shows this much before an incident, so that the change is seen, ms. */
const incidentRoomMs = 600_000;

/** One line. Firing: `checkout: 41 errors in 60 s, usually 2`. */
export function titleOf(notification: Notification): string {
  const { reason, firing, resolved, more, moreServices, groupKey } = notification;
  if (reason === 'summary') {
    const where = moreServices.length === 0 ? '' : ` in ${listOf(moreServices)}`;
    return `and ${more} more ${more === 1 ? 'alert' : 'alerts'}${where}`;
  }
  if (notification.incident !== null) return incidentTitle(notification, notification.incident);
  if (reason === 'resolved') {
    const only = resolved.length === 1 && more === 0 ? resolved[0] : undefined;
    if (only !== undefined) return `${only.service}: ${nameOf(only)} is over`;
    return `${labelOf(groupKey, resolved)}: ${resolved.length + more} alerts are over`;
  }
  const lead = firing[0];
  if (lead === undefined) return `${labelOf(groupKey, resolved)}: ${resolved.length + more} alerts changed`;
  const others = firing.length - 1 + more;
  const tail = others === 0 ? '' : ` (and ${others} more)`;
  return `${reason === 'repeat' ? 'Still: ' : ''}${sentenceOf(lead)}${tail}`;
}

/** `db first, then payments and web (3 alerts)`. */
function incidentTitle({ reason, firing, resolved, more }: Notification, { title }: IncidentView): string {
  if (reason === 'resolved') return `${title}: over`;
  const alerts = firing.length + resolved.length + more;
  return `${reason === 'repeat' ? 'Still: ' : ''}${title} (${alerts === 1 ? '1 alert' : `${alerts} alerts`})`;
}

/** What was found, as people say it; many sentences begin with the service by themselves. */
export function sentenceOf({ service, description }: Pick<AlertView, 'service' | 'description'>): string {
  return description.startsWith(`${service}: `) ? description : `${service}: ${description}`;
}

/** Order, evidence and worst of the incident, and where to look at it; nothing where there is none. */
export function incidentLines({ incident }: Notification, publicUrl: string): string[] {
  return incident === null ? [] : [oneLine(incident.description, 600), incidentLink(publicUrl, incident)];
}

export function incidentLink(publicUrl: string, { incidentId, startedMs }: IncidentView): string {
  const from = String(Math.max(0, startedMs - incidentRoomMs));
  const query = new URLSearchParams({ tab: 'incidents', from, incident: incidentId });
  return `${linkOf(publicUrl)}?${query.toString()}`;
}

/** Word at the head of a message: the highest severity that fires, or RESOLVED. */
export function statusOf({ reason, firing }: Notification): string {
  if (reason === 'summary') return 'SUMMARY';
  const lead = firing.toSorted((a, b) => b.score - a.score)[0];
  return lead === undefined ? 'RESOLVED' : lead.severity.toUpperCase();
}

/** One alert in lines of plain text. */
export function linesOf(view: AlertView, publicUrl: string): string[] {
  const over = view.state === 'resolved';
  const lines = [
    `${view.service}: ${nameOf(view)}${over ? ' is over' : ''}`,
    view.description,
    `${scoreOf(view)} · ${whenOf(view)}${findingsOf(view)}`,
  ];
  for (const sample of over ? [] : view.samples) lines.push(`  > ${oneLine(sample)}`);
  lines.push(linkOf(publicUrl, view));
  return lines;
}

export function scoreOf({ score }: AlertView): string {
  return `score ${Math.round(score)} of 100`;
}

/** `since 2030-01-01 11:59:30 UTC`; of what is over, from when to when, and how long that was. */
export function whenOf({ state, sinceMs, untilMs }: AlertView): string {
  if (state !== 'resolved') return `since ${timeOf(sinceMs)}`;
  const sameDay = timeOf(sinceMs).slice(0, 10) === timeOf(untilMs).slice(0, 10);
  const until = sameDay ? timeOf(untilMs).slice(11) : timeOf(untilMs);
  return `from ${timeOf(sinceMs).slice(0, 19)} to ${until} (${lastingOf(untilMs - sinceMs)})`;
}

function lastingOf(ms: number): string {
  if (ms < 120_000) return `${Math.max(0, Math.round(ms / 1000))} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`;
}

/** Ids of templates are for machines; the sentence has the text. */
const idPattern = /^[\da-f]{16}( \d+)?$/;

/** `error spike`, `rule (checkout down)`. */
export function nameOf({ detector, subject }: Pick<AlertView, 'detector' | 'subject'>): string {
  const name = detector.replaceAll('_', ' ');
  return subject === '' || idPattern.test(subject) ? name : `${name} (${oneLine(subject)})`;
}

export function linkOf(publicUrl: string, view?: Pick<AlertView, 'service' | 'anomalyId'>): string {
  const base = `${publicUrl.replace(/\/+$/, '')}/`;
  if (view === undefined) return base;
  return `${base}?${new URLSearchParams({ service: view.service, anomaly: view.anomalyId }).toString()}`;
}

/** What the alerts of a notification do not show. */
export function moreLine({ reason, more }: Notification): string {
  return reason === 'summary' || more === 0 ? '' : `and ${more} more ${more === 1 ? 'alert' : 'alerts'}`;
}

/** Whole text, for mail. */
export function plainText(notification: Notification, publicUrl: string): string {
  const blocks = [...notification.firing, ...notification.resolved].map((view) => linesOf(view, publicUrl).join('\n'));
  const incident = incidentLines(notification, publicUrl);
  if (incident.length > 0) blocks.unshift(incident.join('\n'));
  if (notification.reason === 'summary') blocks.push(`${titleOf(notification)}\n${linkOf(publicUrl)}`);
  const more = moreLine(notification);
  if (more !== '') blocks.push(`${more}: ${linkOf(publicUrl)}`);
  return `${blocks.join('\n\n')}\n`;
}

export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function findingsOf({ count }: AlertView): string {
  return count > 1 ? `, ${count} findings` : '';
}

export function oneLine(text: string, most: number = sampleShownMax): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

function labelOf(groupKey: string, views: readonly AlertView[]): string {
  const services = [...new Set(views.map((view) => view.service))];
  return services.length === 1 ? (services[0] as string) : groupKey === '' ? 'Logweir' : groupKey;
}

function listOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
