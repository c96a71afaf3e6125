/** Where notifications go: the settings of each kind of channel. */
import { LogweirError } from '#protocol/mod.ts';
import { choice, flag, group, list, name, type Raw, text, texts, unique, url, whole, wrong } from './fields.ts';

interface ChannelBase {
  name: string;
  /** Tell of ends as well, default true. */
  sendResolved: boolean;
  /** Notifications within a minute, default 30; what is over is summed up in one. */
  perMinuteMax: number;
  /** For one attempt, ms, default 10_000. */
  timeoutMs: number;
}

export interface WebhookConfig extends ChannelBase {
  type: 'webhook';
  url: string;
  /** Signs the body: header `X-Logweir-Signature: sha256=<hex HMAC>`; '' for none. */
  secret: string;
  headers: Record<string, string>;
}

export interface SlackConfig extends ChannelBase {
  type: 'slack';
  /** Of an incoming webhook. */
  url: string;
}

export interface SmtpConfig extends ChannelBase {
  type: 'smtp';
  host: string;
  port: number;
  /** `tls` from the first byte, `starttls` (must succeed), `auto` (STARTTLS where offered), or `none`. */
  encryption: 'auto' | 'tls' | 'starttls' | 'none';
  /** False accepts any certificate; for a relay on one's own network only. */
  verifyCertificate: boolean;
  /** '' for no authentication. */
  user: string;
  password: string;
  from: string;
  to: string[];
}

export type ChannelConfig = WebhookConfig | SlackConfig | SmtpConfig;
export const channelTypes = ['webhook', 'slack', 'smtp'] as const;

const baseKeys = ['name', 'type', 'sendResolved', 'perMinuteMax', 'timeoutMs'];
const keysOf: Record<ChannelConfig['type'], string[]> = {
  webhook: [...baseKeys, 'url', 'secret', 'headers'],
  slack: [...baseKeys, 'url'],
  smtp: [...baseKeys, 'host', 'port', 'encryption', 'verifyCertificate', 'user', 'password', 'from', 'to'],
};

export function parseChannels(raw: unknown, path: string): ChannelConfig[] {
  const channels = list(raw, path, 32, parseChannel);
  unique(
    channels.map((channel) => channel.name),
    path,
  );
  return channels;
}

function parseChannel(raw: unknown, path: string): ChannelConfig {
  const type = choice((raw as Raw | null)?.['type'], `${path}.type`, channelTypes);
  const given = group(raw, path, keysOf[type]);
  const base: ChannelBase = {
    name: name(given['name'], `${path}.name`),
    sendResolved: flag(given['sendResolved'], `${path}.sendResolved`, true),
    perMinuteMax: whole(given['perMinuteMax'], `${path}.perMinuteMax`, 30, 1, 10_000),
    timeoutMs: whole(given['timeoutMs'], `${path}.timeoutMs`, 10_000, 100, 60_000),
  };
  switch (type) {
    case 'webhook':
      return {
        type,
        ...base,
        url: url(given['url'], `${path}.url`, ['http', 'https']),
        secret: text(given['secret'], `${path}.secret`, ''),
        headers: headers(given['headers'], `${path}.headers`),
      };
    case 'slack':
      return { type, ...base, url: url(given['url'], `${path}.url`, ['http', 'https']) };
    case 'smtp':
      return { type, ...base, ...smtp(given, path) };
  }
}

function smtp(given: Raw, path: string): Omit<SmtpConfig, 'type' | keyof ChannelBase> {
  const encryption = choice(given['encryption'], `${path}.encryption`, ['auto', 'tls', 'starttls', 'none'], 'auto');
  const to = texts(given['to'], `${path}.to`);
  for (const [at, one] of to.entries()) address(one, `${path}.to[${at}]`);
  if (to.length === 0) wrong(`${path}.to`, given['to'], 'an address, or a list of them');
  const user = text(given['user'], `${path}.user`, '');
  const password = text(given['password'], `${path}.password`, '');
  if ((user === '') !== (password === ''))
    throw new LogweirError(
      'CONFIG_INVALID',
      `${path} has only one of user and password.`,
      'Set both, or neither for a server that asks for none.',
    );
  return {
    host: text(given['host'], `${path}.host`),
    port: whole(given['port'], `${path}.port`, encryption === 'tls' ? 465 : 587, 1, 65_535),
    encryption,
    verifyCertificate: flag(given['verifyCertificate'], `${path}.verifyCertificate`, true),
    user,
    password,
    from: address(text(given['from'], `${path}.from`), `${path}.from`),
    to,
  };
}

function address(value: string, path: string): string {
  return /^[^@]+@[^@]+$/.test(value) ? value : wrong(path, value, 'a mail address, such as ops@example.com');
}

function headers(raw: unknown, path: string): Record<string, string> {
  if (raw === undefined || raw === null) return {};
  if (typeof raw !== 'object' || Array.isArray(raw)) wrong(path, raw, 'a group of header names and values');
  const entries = Object.entries(raw as Raw);
  for (const [key] of entries) if (!/^[\w-]+$/.test(key)) wrong(`${path}.${key}`, key, 'named like a header');
  return Object.fromEntries(entries.map(([key, value]) => [key, text(value, `${path}.${key}`)]));
}
