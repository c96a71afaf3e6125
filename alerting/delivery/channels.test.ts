import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { freePort } from '#bus/mod.ts';
import { parseAlertingConfig } from '../config/mod.ts';
import type { AlertView, Notification } from '../core/types.ts';
import { configOf, Play, startReceiver } from '../testing/fixtures.ts';
import type { Channel } from './channel.ts';
import { parseRetryAfter } from './http.ts';
import { openChannel } from './open.ts';
import type { SlackMessage } from './slack.ts';
import { slackMessage } from './slack.ts';
import { linesOf, linkOf, nameOf, plainText, statusOf, titleOf } from './text.ts';
import { signatureOf, type WebhookBody } from './webhook.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const page = 'http://127.0.0.1:8080';

function channelOf(raw: Record<string, unknown>): Channel {
  const [config] = parseAlertingConfig({ channels: [{ name: 'it', timeoutMs: 500, ...raw }] }).channels;
  if (config === undefined) throw new Error('no channel');
  return openChannel(config, page, Date.now);
}

function told(play: (play: Play) => Play = (one) => one.find(0, {})): Notification {
  const last = play(new Play(configOf())).notifications.at(-1);
  if (last === undefined) throw new Error('nothing was told');
  return last;
}

async function receiver(...args: Parameters<typeof startReceiver>): ReturnType<typeof startReceiver> {
  const started = await startReceiver(...args);
  ends.push(() => started.end());
  return started;
}

describe('webhook', () => {
  it('posts JSON that says what, where, how much, since when, and where to look', async () => {
    const hook = await receiver();
    await channelOf({ type: 'webhook', url: hook.url, headers: { 'X-Team': 'shop' } }).deliver(told());
    const [{ headers, body }] = hook.received as [(typeof hook.received)[number]];
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-team': 'shop' });
    expect(headers['idempotency-key']).toMatch(/^n[0-9a-f]{32}$/);
    expect(headers['x-logweir-signature']).toBeUndefined();
    const json = JSON.parse(body) as WebhookBody;
    expect(json).toMatchObject({
      reason: 'firing',
      status: 'critical',
      groupKey: 'service=checkout',
      url: `${page}/?service=checkout&anomaly=a0a1a2a3a4a5a6a7`,
      more: 0,
      alerts: [{ service: 'checkout', detector: 'error_spike', state: 'firing', actual: 41, typical: 2, score: 80 }],
    });
    expect(json.receipt?.processingMs).toBeGreaterThan(0);
  });

  it('signs the body where a secret is set', async () => {
    const hook = await receiver();
    await channelOf({ type: 'webhook', url: hook.url, secret: 'key' }).deliver(told());
    const [{ headers, body }] = hook.received as [(typeof hook.received)[number]];
    expect(headers['x-logweir-signature']).toBe(signatureOf('key', body));
    expect(signatureOf('key', 'The quick brown fox jumps over the lazy dog')).toBe(
      'sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8',
    );
  });

  it.each([
    [200, 'taken'],
    [204, 'taken'],
    [301, 'permanent'],
    [400, 'permanent'],
    [410, 'permanent'],
    [408, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
  ])('an answer of %i means: %s', async (status, meaning) => {
    const hook = await receiver(() => ({ status, ...(status === 204 ? {} : { body: 'a\n  reason' }) }));
    const delivery = channelOf({ type: 'webhook', url: hook.url }).deliver(told());
    if (meaning === 'taken') await delivery;
    else
      await expect(delivery).rejects.toMatchObject({
        permanent: meaning === 'permanent',
        message: expect.stringMatching(new RegExp(`^127\\.0\\.0\\.1:\\d+ answered ${status}: a reason\\.$`)) as string,
      });
  });

  it('reads only the beginning of an endless answer', async () => {
    const hook = await receiver(() => ({ status: 500, body: 'x'.repeat(2_000_000) }));
    const error = await channelOf({ type: 'webhook', url: hook.url })
      .deliver(told())
      .catch((caught: Error) => caught);
    expect((error as Error).message.length).toBeLessThan(300);
  });

  it('says who did not answer, and never why the URL is secret', async () => {
    const port = await freePort();
    const channel = channelOf({ type: 'webhook', url: `http://127.0.0.1:${port}/token` });
    await expect(channel.deliver(told())).rejects.toMatchObject({
      permanent: false,
      message: `127.0.0.1:${port} did not answer: ECONNREFUSED.`,
    });
    const hook = await receiver(() => 'hang');
    await expect(channelOf({ type: 'webhook', url: hook.url }).deliver(told())).rejects.toThrow(
      /no answer within 500 ms/,
    );
  });

  it('heeds Retry-After in seconds and as a date', async () => {
    const hook = await receiver(() => ({ status: 429, headers: { 'Retry-After': '7' } }));
    await expect(channelOf({ type: 'webhook', url: hook.url }).deliver(told())).rejects.toMatchObject({
      retryAfterMs: 7_000,
    });
    const now = Date.UTC(2030, 0, 1);
    expect(parseRetryAfter('Tue, 01 Jan 2030 00:00:09 GMT', now)).toBe(9_000);
    expect(parseRetryAfter('Mon, 31 Dec 2029 00:00:00 GMT', now)).toBe(0);
    expect(parseRetryAfter('1.5', now)).toBe(1_500);
    expect([parseRetryAfter(null, now), parseRetryAfter('later', now)]).toEqual([null, null]);
  });
});

describe('slack', () => {
  it('posts one message of blocks', async () => {
    const hook = await receiver(() => ({ status: 200, body: 'ok' }));
    await channelOf({ type: 'slack', url: hook.url }).deliver(told());
    const message = JSON.parse(hook.received[0]?.body ?? '') as SlackMessage;
    expect(message.text).toBe('CRITICAL: checkout: 41 errors within 60 s, usually 2');
    expect(message.blocks.map(({ type }) => type)).toEqual(['header', 'section', 'context']);
    expect(message.blocks[1]?.text?.text.split('\n')).toEqual([
      `*<${page}/?service=checkout&anomaly=a0a1a2a3a4a5a6a7|checkout: error spike>*`,
      '41 errors within 60 s, usually 2',
      'score 80 of 100 · since 2030-01-01 11:59:30 UTC',
      '```connection to db-1 refused```',
    ]);
  });

  it('escapes what logs say', () => {
    const message = slackMessage(
      told((play) => play.find(0, { service: '<!channel>', description: 'a & b', samples: ['```<@U1>'] })),
      page,
    );
    // A header is plain text, where Slack reads no markup.
    const text = JSON.stringify({ ...message, blocks: message.blocks.filter(({ type }) => type !== 'header') });
    expect(text).not.toMatch(/<!channel>|<@U1>|a & b/);
    expect(text).toContain('&lt;!channel&gt;');
    expect(text).toContain('a &amp; b');
  });

  it("stays within Slack's limits", () => {
    const long = 'word '.repeat(500);
    const many = Array.from({ length: 60 }, (_, i) => ({
      subject: `${i}${long}`,
      description: long,
      samples: [long, `1${long}`, `2${long}`],
    }));
    const message = slackMessage(
      told((play) => play.find(0, ...many)),
      page,
    );
    expect(message.blocks.length).toBeLessThanOrEqual(50);
    expect(message.blocks[0]?.text?.text.length).toBeLessThanOrEqual(150);
    for (const block of message.blocks) expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3_000);
    expect(message.blocks.at(-1)?.elements?.[0]?.text).toContain('and 40 more alerts');
  });
});

describe('smtp', () => {
  interface Mail {
    text: string;
    user: string;
    secure: boolean;
  }

  async function mailServer(options: SMTPServerOptions = {}): Promise<{ port: number; mails: Mail[] }> {
    const mails: Mail[] = [];
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onAuth: ({ username, password }, _session, done) =>
        password === 'right' ? done(null, { user: username }) : done(new Error('wrong password')),
      onData: (stream, session, done) => {
        let text = '';
        stream.setEncoding('utf8');
        stream.on('data', (chunk: string) => {
          text += chunk;
        });
        stream.on('end', () => {
          mails.push({ text, user: String(session.user ?? ''), secure: session.secure });
          done();
        });
      },
      ...options,
    });
    server.on('error', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return { port: (server.server.address() as AddressInfo).port, mails };
  }

  const smtp = (port: number, over: Record<string, unknown> = {}): Channel =>
    channelOf({ type: 'smtp', host: '127.0.0.1', port, from: 'logweir@example.com', to: ['ops@example.com'], ...over });

  it('sends a mail in plain text', async () => {
    const { port, mails } = await mailServer();
    const notification = told();
    await smtp(port).deliver(notification);
    const [mail] = mails as [Mail];
    expect(mail.text).toContain('Subject: [CRITICAL] checkout: 41 errors within 60 s, usually 2');
    expect(mail.text).toContain('To: ops@example.com');
    expect(mail.text).toContain(`Message-ID: <${notification.id}@example.com>`);
    expect(mail.text).toContain('Auto-Submitted: auto-generated');
    expect(mail.text).toContain('> connection to db-1 refused');
    expect(mail).toMatchObject({ user: '', secure: false });
  });

  it('authenticates, with or without TLS', async () => {
    const { port, mails } = await mailServer({ disabledCommands: [] });
    const auth = { user: 'me', password: 'right', verifyCertificate: false };
    await smtp(port, { ...auth, encryption: 'starttls' }).deliver(told());
    const tls = await mailServer({ secure: true });
    await smtp(tls.port, { ...auth, encryption: 'tls' }).deliver(told());
    expect([...mails, ...tls.mails]).toMatchObject([
      { user: 'me', secure: true },
      { user: 'me', secure: true },
    ]);
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const { port } = await mailServer({ secure: true });
    await expect(smtp(port, { encryption: 'tls' }).deliver(told())).rejects.toThrow(/did not take the mail/);
  });

  it('refuses to go on without the encryption asked for', async () => {
    const { port, mails } = await mailServer();
    await expect(smtp(port, { encryption: 'starttls' }).deliver(told())).rejects.toThrow(/did not take the mail/);
    expect(mails).toEqual([]);
  });

  it('tells refusals for good from those that may pass', async () => {
    const refusing = (code: number): SMTPServerOptions => ({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('no'), { responseCode: code })),
    });
    const never = await mailServer(refusing(550));
    await expect(smtp(never.port).deliver(told())).rejects.toMatchObject({ permanent: true });
    const later = await mailServer(refusing(451));
    await expect(smtp(later.port).deliver(told())).rejects.toMatchObject({ permanent: false });
    const port = await freePort();
    await expect(smtp(port).deliver(told())).rejects.toMatchObject({ permanent: false });
  });
});

describe('text', () => {
  const minute = 60_000;

  it('says how an alert stands', () => {
    expect(titleOf(told((play) => play.find(0, {}, { detector: 'silence', score: 60 })))).toBe(
      'checkout: 41 errors within 60 s, usually 2 (and 1 more)',
    );
    const over = told((play) => play.find(0, {}).tick(10 * minute));
    expect([statusOf(over), titleOf(over)]).toEqual(['RESOLVED', 'checkout: error spike is over']);
    const several = told((play) => play.find(0, {}, { subject: 'x' }).tick(10 * minute));
    expect(titleOf(several)).toBe('checkout: 2 alerts are over');
    const many = told((play) => {
      for (let i = 0; i < 34; i++) play.find(i, { service: `s${i}` });
      return play.tick(2 * minute);
    });
    expect([statusOf(many), titleOf(many)]).toEqual(['SUMMARY', 'and 4 more alerts in s30, s31, s32 and s33']);
    expect(plainText(many, page)).toBe(`and 4 more alerts in s30, s31, s32 and s33\n${page}/\n`);
  });

  it('keeps a log line on one line', () => {
    expect(
      plainText(
        told((play) => play.find(0, { samples: ['a\nBcc: b'] })),
        page,
      ),
    ).toContain('  > a Bcc: b\n');
  });

  it('links to the page, whatever is in a name', () => {
    expect(linkOf('http://h/', { service: 'a&b c', anomalyId: 'x' })).toBe('http://h/?service=a%26b+c&anomaly=x');
  });

  it('says of what is over how long it was, and no ids of templates', () => {
    const view = told().firing[0] as AlertView;
    const over = { ...view, state: 'resolved' as const, detector: 'template_vanished', subject: '4be1d0c24be1d0c2' };
    const text = linesOf({ ...over, sinceMs: view.sinceMs, untilMs: view.sinceMs + 300_000 }, 'http://h').join('\n');
    expect(text).toContain('checkout: template vanished is over');
    expect(text).toContain('score 80 of 100 · from 2030-01-01 11:59:30 to 12:04:30 UTC (5 min)');
    expect(nameOf({ detector: 'rule', subject: 'no heartbeat' })).toBe('rule (no heartbeat)');
  });
});
