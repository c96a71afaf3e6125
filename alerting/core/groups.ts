/**
 * What is told together, and when. A group opens with its first alert and is told at once (after `groupWaitMs`);
 * news within it wait until `groupIntervalMs` after the last notification, save an alert of a higher severity than
 * was told so far, which does not wait; a group that still fires is told again after `repeatIntervalMs`.
 */
import type { Receipt } from '#protocol/mod.ts';
import { incidentNow } from '../incidents/mod.ts';
import { send } from './channels.ts';
import type { Draft } from './draft.ts';
import { groupIdOf, notificationIdOf } from './ids.ts';
import { groupKeyOf, routesOf, suppressionOf } from './match.ts';
import {
  type Alert,
  type AlertView,
  type Group,
  type IncidentView,
  type Member,
  type NotificationReason,
  type Route,
  severities,
  viewsMax,
} from './types.ts';
import { viewOf } from './view.ts';

const rankOf = (alert: Pick<Alert, 'severity'>): number => severities.indexOf(alert.severity);
const earlier = (a: number | null, b: number): number => (a === null ? b : Math.min(a, b));

/** An alert that is new, or of a higher severity than people were told, enters the groups of its routes as news. */
export function joinGroups(draft: Draft, alert: Alert): void {
  for (const route of routesOf(draft.config, alert)) {
    const key = groupKeyOf(route.groupBy, alert, draft.incidentOf(alert));
    const id = groupIdOf(route.name, key);
    const group =
      groupThatTells(draft, route, alert) ?? draft.groups.get(id) ?? newGroup(id, route.name, key, draft.nowMs);
    putNews(draft, group, route, alert);
  }
}

/**
 * What people were told of stays in its group, whatever becomes of its incident; and an incident whose id changed (an
 * earlier finding came late) is still told where it began to be told.
 */
function groupThatTells(draft: Draft, route: Route, alert: Alert): Group | undefined {
  if (!route.groupBy.includes('incident')) return undefined;
  const incident = draft.incidentOf(alert);
  for (const group of draft.groups.values()) {
    if (group.route !== route.name) continue;
    if (group.members.has(alert.fingerprint)) return group;
    if (incident === '') continue;
    for (const fingerprint of group.members.keys()) {
      const other = draft.alerts.get(fingerprint);
      if (other === undefined || draft.incidentOf(other) !== incident) continue;
      if (route.groupBy.every((label) => label === 'incident' || other[label] === alert[label])) return group;
    }
  }
  return undefined;
}

function newGroup(id: string, route: string, key: string, openedAtMs: number): Group {
  const fresh = { notifications: 0, notifiedAtMs: null, severityTold: -1, dueMs: null, members: new Map() };
  return { id, route, key, openedAtMs, ...fresh };
}

function putNews(draft: Draft, group: Group, route: Route, alert: Alert): void {
  const members = new Map(group.members).set(alert.fingerprint, { told: false, resolved: null });
  draft.putGroup({
    ...group,
    members,
    dueMs: earlier(group.dueMs, newsDueMs(draft.nowMs, group, route, rankOf(alert))),
  });
}

function newsDueMs(nowMs: number, group: Group, route: Route, rank: number): number {
  if (group.notifiedAtMs === null) return nowMs + route.groupWaitMs;
  if (rank > group.severityTold) return nowMs;
  return Math.max(nowMs, group.notifiedAtMs + route.groupIntervalMs);
}

export function resolveInGroups(draft: Draft, alert: Alert, view: AlertView, quiet: boolean): void {
  for (const group of groupsWith(draft, alert.fingerprint)) {
    const member = group.members.get(alert.fingerprint) as Member;
    const members = new Map(group.members);
    // Who never heard of it need not hear that it is over, unless it came and went while its group waited.
    if (member.told || !quiet) members.set(alert.fingerprint, { told: member.told, resolved: view });
    else members.delete(alert.fingerprint);
    const route = routeOf(draft, group);
    if (route === undefined) draft.dropGroup(group.id);
    else putOrDrop(draft, { ...group, members, dueMs: earlier(group.dueMs, newsDueMs(draft.nowMs, group, route, -1)) });
  }
}

/** An alert leaves without a word; who was still to hear of it hears a number in a summary. */
export function forget(draft: Draft, alert: Alert, quiet: boolean): void {
  for (const group of groupsWith(draft, alert.fingerprint)) {
    const untold = !(group.members.get(alert.fingerprint) as Member).told;
    const members = new Map(group.members);
    members.delete(alert.fingerprint);
    putOrDrop(draft, { ...group, members });
    if (!untold || quiet) continue;
    for (const channel of routeOf(draft, group)?.channels ?? []) send(draft, channel, null, 1, [alert.service]);
  }
}

function groupsWith(draft: Draft, fingerprint: string): Group[] {
  const found: Group[] = [];
  for (const group of draft.groups.values()) if (group.members.has(fingerprint)) found.push(group);
  return found;
}

function routeOf(draft: Draft, group: Group): Route | undefined {
  return draft.config.routes.find((route) => route.name === group.route);
}

/** What kept alerts quiet has changed: whoever was not told of one that still fires is told as if it were new. */
export function reconsiderUntold(draft: Draft): void {
  for (const group of draft.groups.values()) {
    const route = routeOf(draft, group);
    const waits = [...group.members].some(([key, member]) => !member.told && draft.alerts.has(key));
    if (waits && route !== undefined)
      draft.putGroup({ ...group, dueMs: earlier(group.dueMs, newsDueMs(draft.nowMs, group, route, -1)) });
  }
}

/** Tells what there is to tell of a group that is due. */
export function flush(draft: Draft, group: Group): void {
  const route = routeOf(draft, group);
  if (route === undefined) {
    draft.dropGroup(group.id);
    return;
  }
  const { nowMs } = draft;
  const firing: Alert[] = [];
  const news: Alert[] = [];
  const resolved: AlertView[] = [];
  const members = new Map<string, Member>();
  for (const [fingerprint, member] of group.members) {
    const alert = draft.alerts.get(fingerprint);
    if (member.resolved !== null) resolved.push(member.resolved);
    else if (alert !== undefined) {
      const visible = suppressionOf(draft, draft.config, alert) === '';
      if (visible) firing.push(alert);
      if (visible && !member.told) news.push(alert);
      members.set(fingerprint, { told: member.told || visible, resolved: null });
    }
  }
  const hasNews = news.length > 0 || resolved.length > 0;
  const repeats =
    !hasNews &&
    firing.length > 0 &&
    group.notifiedAtMs !== null &&
    nowMs >= group.notifiedAtMs + route.repeatIntervalMs;
  if (!hasNews && !repeats) {
    const repeatAtMs = (group.notifiedAtMs ?? nowMs) + route.repeatIntervalMs;
    const dueMs = repeatAtMs > nowMs ? repeatAtMs : nowMs + route.repeatIntervalMs;
    putOrDrop(draft, { ...group, members, dueMs: group.notifiedAtMs === null ? null : dueMs });
    return;
  }
  const reason: NotificationReason = repeats
    ? 'repeat'
    : firing.length === 0
      ? 'resolved'
      : group.notifications === 0
        ? 'firing'
        : 'update';
  const next: Group = {
    ...group,
    members,
    notifications: group.notifications + 1,
    notifiedAtMs: nowMs,
    severityTold: Math.max(group.severityTold, ...firing.map(rankOf)),
    dueMs: nowMs + route.repeatIntervalMs,
  };
  putOrDrop(draft, next);
  announce(draft, next, route, { reason, firing, news, resolved });
}

function announce(
  draft: Draft,
  group: Group,
  route: Route,
  what: { reason: NotificationReason; firing: Alert[]; news: Alert[]; resolved: AlertView[] },
): void {
  const fresh = new Set(what.news);
  // News first, then by score, so that what is cut is the least of it.
  const order = (a: Alert, b: Alert): number => Number(fresh.has(b)) - Number(fresh.has(a)) || b.score - a.score;
  const firing = what.firing.toSorted(order).map((alert) => viewOf(alert, 'firing'));
  const content = [
    ...what.firing.map(({ alertId, transition }) => `${alertId} ${transition}`),
    ...what.resolved.map(({ alertId }) => `${alertId} over`),
  ];
  const incident = incidentOfGroup(draft, what.firing, what.resolved);
  const newest = what.news.reduce<Alert | null>((a, b) => (a === null || b.lastSeenMs > a.lastSeenMs ? b : a), null);
  const receipt: Receipt | null = newest?.receipt ?? null;
  for (const name of route.channels) {
    const policy = draft.config.channels.find((channel) => channel.name === name);
    if (policy === undefined) continue;
    const resolved = policy.sendResolved ? what.resolved : [];
    if (
      firing.length + resolved.length === 0 ||
      (what.news.length === 0 && resolved.length === 0 && what.reason !== 'repeat')
    )
      continue;
    const shownFiring = firing.slice(0, viewsMax);
    const shownResolved = resolved.slice(0, viewsMax - shownFiring.length);
    const count = firing.length + resolved.length;
    send(
      draft,
      name,
      {
        id: notificationIdOf(group.id, group.openedAtMs, group.notifications, name, content),
        channel: name,
        reason: what.reason,
        route: route.name,
        groupKey: group.key,
        atMs: draft.nowMs,
        firing: shownFiring,
        resolved: shownResolved,
        more: count - shownFiring.length - shownResolved.length,
        moreServices: [],
        incident,
        receipt,
      },
      what.reason === 'repeat' ? count : what.news.length + resolved.length,
      [...what.news, ...resolved].map((alert) => alert.service),
    );
  }
}

/** Where alerts of a notification are part of an incident of several services: the one that most of them are of. */
function incidentOfGroup(draft: Draft, firing: readonly Alert[], resolved: readonly AlertView[]): IncidentView | null {
  const counts = new Map<string, { lane: string; count: number }>();
  for (const alert of [...firing, ...resolved]) {
    const id = draft.incidentOf(alert);
    if (id !== '') counts.set(id, { lane: alert.lane, count: (counts.get(id)?.count ?? 0) + 1 });
  }
  const most = [...counts].sort((a, b) => b[1].count - a[1].count)[0];
  const now = most === undefined ? null : incidentNow(draft.incidents, most[1].lane, most[0]);
  if (now === null || now.services.length < 2) return null;
  const { incidentId, title, description, score, startedMs, firstMover, services, ranks } = now;
  return { incidentId, title, description, score, startedMs, firstMover, services, ranks };
}

/** A group ends when nothing of it fires and everything was told. */
function putOrDrop(draft: Draft, group: Group): void {
  const open = [...group.members].some(([key, member]) => member.resolved !== null || draft.alerts.has(key));
  if (open) draft.putGroup(group);
  else draft.dropGroup(group.id);
}
