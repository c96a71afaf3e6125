import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LogweirError } from '#protocol/mod.ts';
import { parseAlertingConfig } from './mod.ts';

const hook = { name: 'hook', type: 'webhook', url: 'https://example.com/in' };
const mail = { name: 'mail', type: 'smtp', host: 'mail.example.com', from: 'a@example.com', to: 'b@example.com' };

function problem(raw: unknown): string {
  try {
    parseAlertingConfig(raw);
  } catch (error) {
    if (!(error instanceof LogweirError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    return `${error.message} ${error.remedy}`;
  }
  return 'accepted';
}

describe('alerting configuration', () => {
  it('has defaults for everything', () => {
    for (const raw of [undefined, null, {}]) {
      const config = parseAlertingConfig(raw);
      expect(config.decide).toMatchObject({ scoreMin: 50, resolveAfterMs: 300_000, routes: [], channels: [] });
      expect(config.delivery).toEqual({ attempts: 10, backoffMs: 1_000, concurrency: 8 });
    }
  });

  it('tells every channel of everything where there are no routes', () => {
    const { decide } = parseAlertingConfig({ channels: [hook, mail] });
    expect(decide.routes).toMatchObject([{ channels: ['hook', 'mail'], groupWaitMs: 0, groupBy: ['incident'] }]);
  });

  it('reads a whole section', () => {
    const config = parseAlertingConfig({
      channels: [
        { ...hook, secret: 's', headers: { 'x-team': 'a' }, perMinuteMax: 3 },
        { ...mail, encryption: 'tls', user: 'u', password: 'p', to: ['b@example.com', 'c@example.com'] },
        { name: 'chat', type: 'slack', url: 'https://hooks.example.com/x', sendResolved: false },
      ],
      routes: [{ name: 'r', match: { service: 'pay*', severity: 'critical' }, channels: 'hook', groupIntervalMs: 0 }],
      silences: [{ name: 'q', match: { service: 'x' }, until: '2030-01-01T00:00:00Z', comment: 'move' }],
      inhibitions: [{ name: 'i', source: { detector: 'silence' }, target: { scoreMin: 10 } }],
    });
    expect(config.channels.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'hook webhook',
      'mail smtp',
      'chat slack',
    ]);
    expect(config.channels[1]).toMatchObject({ port: 465, to: ['b@example.com', 'c@example.com'] });
    expect(config.decide.routes[0]).toMatchObject({
      match: { service: ['pay*'], severity: ['critical'] },
      channels: ['hook'],
    });
    expect(config.silences).toMatchObject([{ id: 'q', untilMs: Date.UTC(2030, 0, 1) }]);
    expect(config.decide.inhibitions[0]).toMatchObject({ equal: ['service'] });
  });

  it.each<[unknown, RegExp]>([
    [[], /^alerting is \[\]\. It must be a group of the keys scoreMin,/],
    [{ scoreMinimum: 5 }, /^alerting\.scoreMinimum is no known key\. Allowed here: scoreMin,/],
    [{ scoreMin: 101 }, /^alerting\.scoreMin is 101\. It must be a number from 0 to 100\.$/],
    [{ resolveAfterMs: '5m' }, /alerting\.resolveAfterMs is "5m"\. It must be a whole number from/],
    [{ channels: {} }, /alerting\.channels is \{\}\. It must be a list/],
    [{ channels: ['x'] }, /alerting\.channels\[0\]\.type is undefined\. It must be one of webhook, slack, smtp\./],
    [{ channels: [{ ...hook, type: 'pager' }] }, /channels\[0\]\.type is "pager"/],
    [{ channels: [{ ...hook, host: 'x' }] }, /channels\[0\]\.host is no known key\. Allowed here: name, type,/],
    [{ channels: [{ ...hook, name: 'a b' }] }, /channels\[0\]\.name is "a b"/],
    [{ channels: [hook, hook] }, /alerting\.channels has two entries named hook\./],
    [{ channels: [{ ...hook, headers: { 'x y': 'z' } }] }, /headers\.x y is/],
    [{ channels: [{ ...hook, headers: { a: 'b\r\nc' } }] }, /headers\.a is .* text of one line/],
    [{ channels: [{ ...mail, to: [] }] }, /channels\[0\]\.to is \[\]\. It must be an address/],
    [{ channels: [{ ...mail, to: 'x' }] }, /channels\[0\]\.to\[0\] is "x"\. It must be a mail address/],
    [{ channels: [{ ...mail, user: 'u' }] }, /channels\[0\] has only one of user and password\./],
    [
      { routes: [{ name: 'r', channels: 'hook' }] },
      /routes\[0\]\.channels\[0\] is "hook"\. It must be a channel, and none/,
    ],
    [{ channels: [hook], routes: [{ name: 'r', channels: 'hok' }] }, /is "hok"\. It must be a channel: hook\./],
    [{ routes: [{ name: 'r', match: { servce: 'x' } }] }, /routes\[0\]\.match\.servce is no known key/],
    [
      { routes: [{ name: 'r', groupBy: ['host'] }] },
      /routes\[0\]\.groupBy\[0\] is "host"\. It must be one of service,/,
    ],
    [{ silences: [{ name: 's', until: 'soon' }] }, /silences\[0\]\.until is "soon"\. It must be a time such as/],
    [
      { inhibitions: [{ name: 'i', source: {}, target: { detector: 'x' } }] },
      /inhibitions\[0\]\.source names no field\./,
    ],
    [{ delivery: { attempts: 0 } }, /alerting\.delivery\.attempts is 0/],
  ])('refuses %j', (raw, expected) => {
    expect(problem(raw)).toMatch(expected);
  });

  it('accepts the example of the README', () => {
    const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
    const [, example = ''] = readme.match(/```yaml\n([^`]+)```/) ?? [];
    const filled = example.replace(/\$\{(\w+)\}/g, (_all, name: string) => (name.endsWith('URL') ? 'https://x/' : 'x'));
    const { alerting } = parse(filled) as { alerting: unknown };
    const config = parseAlertingConfig(alerting);
    expect(config.channels.map(({ type }) => type)).toEqual(['slack', 'webhook', 'smtp']);
    expect(config.decide.inhibitions).toHaveLength(1);
  });

  it('does not show a URL that may hold a token', () => {
    const said = problem({ channels: [{ ...hook, url: 'ftp://token@example.com' }] });
    expect(said).toBe(
      'alerting.channels[0].url is no URL that can be used. It must be a URL that starts with http:// or https://.',
    );
  });
});
