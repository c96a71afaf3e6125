/** The `alerting` section of the configuration. */
import { LogweirError } from '#protocol/mod.ts';
import {
  alertLabels,
  type ChannelPolicy,
  type DecideConfig,
  groupLabels,
  type IncidentPolicy,
  type Inhibition,
  type Matcher,
  type Route,
  type Silence,
  severities,
} from '../core/types.ts';
import { type ChannelConfig, parseChannels } from './channels.ts';
import { choices, flag, group, list, name, score, text, texts, unique, whole, wrong } from './fields.ts';

export interface DeliveryConfig {
  /** Attempts before a notification counts as failed, default 10: about 8 minutes with the default backoff. */
  attempts: number;
  /** Wait after the first failure, ms, default 1_000; it doubles with each. */
  backoffMs: number;
  /** Notifications on their way at once, default 8. */
  concurrency: number;
}

export interface AlertingConfig {
  decide: DecideConfig;
  channels: ChannelConfig[];
  /** Those of the configuration; over when their time is, whatever the state says. */
  silences: Silence[];
  delivery: DeliveryConfig;
}

const second = 1_000;
const day = 24 * 60 * 60 * second;
const sections = [
  'scoreMin',
  'resolveAfterMs',
  'notifyBackfill',
  'channels',
  'routes',
  'silences',
  'inhibitions',
  'incidents',
  'delivery',
];

/**
 * Validates the section, unset keys taking their defaults. Without routes, every channel is told of everything.
 * @throws LogweirError CONFIG_INVALID that names the key and what is allowed.
 */
export function parseAlertingConfig(raw: unknown, path = 'alerting'): AlertingConfig {
  const given = group(raw, path, sections);
  const channels = parseChannels(given['channels'], `${path}.channels`);
  const names = channels.map((channel) => channel.name);
  const routes = list(given['routes'], `${path}.routes`, 100, (entry, at) => parseRoute(entry, at, names));
  unique(
    routes.map((route) => route.name),
    `${path}.routes`,
  );
  const inhibitions = list(given['inhibitions'], `${path}.inhibitions`, 100, parseInhibition);
  const silences = list(given['silences'], `${path}.silences`, 100, parseSilence);
  unique(
    silences.map((silence) => silence.id),
    `${path}.silences`,
  );
  const delivery = group(given['delivery'], `${path}.delivery`, ['attempts', 'backoffMs', 'concurrency']);
  return {
    decide: {
      scoreMin: score(given['scoreMin'], `${path}.scoreMin`, 50),
      resolveAfterMs: whole(given['resolveAfterMs'], `${path}.resolveAfterMs`, 300 * second, second, day),
      notifyBackfill: flag(given['notifyBackfill'], `${path}.notifyBackfill`, false),
      routes: routes.length === 0 && names.length > 0 ? [defaultRoute(names)] : routes,
      inhibitions,
      incidents: parseIncidents(given['incidents'], `${path}.incidents`),
      channels: channels.map(
        ({ name, sendResolved, perMinuteMax }): ChannelPolicy => ({
          name,
          sendResolved,
          perMinuteMax,
        }),
      ),
    },
    channels,
    silences,
    delivery: {
      attempts: whole(delivery['attempts'], `${path}.delivery.attempts`, 10, 1, 50),
      backoffMs: whole(delivery['backoffMs'], `${path}.delivery.backoffMs`, second, 10, 60 * second),
      concurrency: whole(delivery['concurrency'], `${path}.delivery.concurrency`, 8, 1, 100),
    },
  };
}

export const matchAll: Matcher = { service: [], detector: [], subject: [], lane: [], severity: [], scoreMin: 0 };

export function defaultRoute(channels: string[]): Route {
  return {
    name: 'default',
    match: matchAll,
    channels,
    groupBy: ['incident'],
    groupWaitMs: 0,
    groupIntervalMs: 30 * second,
    repeatIntervalMs: 4 * 60 * 60 * second,
    continue: false,
  };
}

const routeKeys = [
  'name',
  'match',
  'channels',
  'groupBy',
  'groupWaitMs',
  'groupIntervalMs',
  'repeatIntervalMs',
  'continue',
];

function parseRoute(raw: unknown, path: string, channelNames: readonly string[]): Route {
  const given = group(raw, path, routeKeys);
  const base = defaultRoute([]);
  const channels = texts(given['channels'], `${path}.channels`);
  for (const [at, one] of channels.entries()) {
    if (!channelNames.includes(one))
      wrong(
        `${path}.channels[${at}]`,
        one,
        channelNames.length === 0 ? 'a channel, and none is configured' : `a channel: ${channelNames.join(', ')}`,
      );
  }
  return {
    name: name(given['name'], `${path}.name`),
    match: parseMatcher(given['match'], `${path}.match`),
    channels: [...new Set(channels)],
    groupBy: choices(given['groupBy'], `${path}.groupBy`, groupLabels, base.groupBy),
    groupWaitMs: whole(given['groupWaitMs'], `${path}.groupWaitMs`, base.groupWaitMs, 0, day),
    groupIntervalMs: whole(given['groupIntervalMs'], `${path}.groupIntervalMs`, base.groupIntervalMs, 0, day),
    repeatIntervalMs: whole(
      given['repeatIntervalMs'],
      `${path}.repeatIntervalMs`,
      base.repeatIntervalMs,
      second,
      30 * day,
    ),
    continue: flag(given['continue'], `${path}.continue`, base.continue),
  };
}

function parseMatcher(raw: unknown, path: string): Matcher {
  const given = group(raw, path, ['service', 'detector', 'subject', 'lane', 'severity', 'scoreMin']);
  return {
    service: texts(given['service'], `${path}.service`),
    detector: texts(given['detector'], `${path}.detector`),
    subject: texts(given['subject'], `${path}.subject`),
    lane: texts(given['lane'], `${path}.lane`),
    severity: choices(given['severity'], `${path}.severity`, severities),
    scoreMin: score(given['scoreMin'], `${path}.scoreMin`, 0),
  };
}

function parseSilence(raw: unknown, path: string): Silence {
  const given = group(raw, path, ['name', 'match', 'until', 'comment']);
  const until = given['until'];
  const untilMs = until instanceof Date ? until.getTime() : typeof until === 'string' ? Date.parse(until) : Number.NaN;
  if (!Number.isFinite(untilMs)) wrong(`${path}.until`, until, 'a time such as 2030-01-31T18:00:00Z');
  return {
    id: name(given['name'], `${path}.name`),
    match: parseMatcher(given['match'], `${path}.match`),
    untilMs,
    comment: text(given['comment'], `${path}.comment`, ''),
  };
}

const incidentKeys = ['memberScoreMin', 'gapMs', 'spanMs', 'lateMs', 'inhibitSymptoms'];

function parseIncidents(raw: unknown, path: string): IncidentPolicy {
  const given = group(raw, path, incidentKeys);
  const minute = 60 * second;
  const gapMs = whole(given['gapMs'], `${path}.gapMs`, 10 * minute, second, 60 * minute);
  return {
    memberScoreMin: score(given['memberScoreMin'], `${path}.memberScoreMin`, 25),
    gapMs,
    spanMs: whole(given['spanMs'], `${path}.spanMs`, Math.max(gapMs, 30 * minute), gapMs, day),
    lateMs: whole(given['lateMs'], `${path}.lateMs`, 15 * minute, second, 60 * minute),
    inhibitSymptoms: flag(given['inhibitSymptoms'], `${path}.inhibitSymptoms`, false),
  };
}

function parseInhibition(raw: unknown, path: string): Inhibition {
  const given = group(raw, path, ['name', 'source', 'target', 'equal']);
  for (const key of ['source', 'target']) {
    // An empty matcher fits everything, which as a source or target would keep all alerts quiet by one slip.
    if (Object.keys((given[key] as object | undefined) ?? {}).length === 0)
      throw new LogweirError(
        'CONFIG_INVALID',
        `${path}.${key} names no field.`,
        'Name at least one of service, detector, subject, lane, severity, scoreMin.',
      );
  }
  return {
    name: name(given['name'], `${path}.name`),
    source: parseMatcher(given['source'], `${path}.source`),
    target: parseMatcher(given['target'], `${path}.target`),
    equal: choices(given['equal'], `${path}.equal`, alertLabels, ['service']),
  };
}
