import { describe, expect, it } from 'vitest';
import { compiled, line, run, steps } from './testing.fixture.ts';
import { findSecrets, type SecretKind, secretKinds } from './secrets.ts';

const all = [{ redact: ['tokens', 'passwords', 'cards', 'emails', 'ips', 'phones'] }];
const clean = (body: string): string => steps(all, { body }).record.body;
// Made up, and put together here so that no scanner of repositories takes them for real ones.
const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiJiYWtlciJ9', 'c2lnbmF0dXJlLW9mLW5vYm9keQ'].join('.');
const aws = ['AKIA', 'BAKERY0EXAMPLE00'].join('');
const github = `ghp_${'a1B2'.repeat(9)}`;

describe('redact', () => {
  it.each([
    [`key ${aws} used`, 'key <redacted:token> used'],
    [`jwt=${jwt};`, 'jwt=<redacted:token>;'],
    [`Authorization: Bearer ${jwt}`, 'Authorization: Bearer <redacted:token>'],
    ['Authorization: Basic YmFrZXI6YnJlYWQ=', 'Authorization: Basic <redacted:token>'],
    ['sent bearer abc123def456', 'sent bearer <redacted:token>'],
    [`pushed with ${github}.`, 'pushed with <redacted:token>.'],
    ['password=rye&user=anna', 'password=<redacted:password>&user=anna'],
    ['{"password":"r\'y","n":1}', '{"password":"<redacted:password>","n":1}'],
    ['{\\"client_secret\\":\\"r-y\\"}', '{\\"client_secret\\":\\"<redacted:password>\\"}'],
    ['db_passwd: "two words" ok', 'db_passwd: "<redacted:password>" ok'],
    ['postgres://baker:rye@db:5432/x', 'postgres://baker:<redacted:password>@db:5432/x'],
    ['Set-Cookie: id=a3fWa1; Path=/', 'Set-Cookie: <redacted:token>'],
    ['card 4111 1111 1111 1111 taken', 'card <redacted:card> taken'],
    ['card 5500-0000-0000-0004, 378282246310005', 'card <redacted:card>, <redacted:card>'],
    ['mail <anna.b+x@example.org>.', 'mail <<redacted:email>>.'],
    ['from 192.0.2.17:8080 to 2001:db8::1 and fe80::1', 'from <redacted:ip>:8080 to <redacted:ip> and <redacted:ip>'],
    ['call +49 (30) 901820-17 or 555-867-5309', 'call <redacted:phone> or <redacted:phone>'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- done', '<redacted:token> done'],
  ])('%s', (body, expected) => {
    expect(clean(body)).toBe(expected);
  });

  it.each([
    'Failed password for root from console',
    'invalid token: expired',
    'tokens=512 max_tokens=4096 tokenizer: fast',
    'pwd=/home/baker',
    'password=*** passwd=null secret=%s',
    'bearer authentication failed',
    'order 4111111111111112 at 1777691045678901234',
    'SpanID: 4111111111111111 traceId=4111111111111111',
    'cookie: disabled',
    'AppWindowToken{9f4ef63 token=Token{a64f992 ActivityRecord{de9231d}}}',
    'block blk_-4111111111111111 and blk_4111111111111111, id 6200000000000000003',
    'id 123e4567-e89b-12d3-a456-426614174000 took 12:34:56',
    'std::vector::push a@b x@ @y user@host',
    'release 1.2.3 of 10.4.5.6.7 at +0200, 00:1b:44:11:3a:b7',
    'eyJ eyJabc eyJabc.def',
  ])('leaves %s', (body) => {
    expect(clean(body)).toBe(body);
  });

  it('leaves addresses and phones unless asked', () => {
    expect(steps([{ redact: true }], { body: '192.0.2.1 a@b.org +49 30 90182017' }).record.body).toBe(
      '192.0.2.1 <redacted:email> +49 30 90182017',
    );
  });

  it('covers attributes, by value and by name, and lines that are parsed later', () => {
    const ran = steps([{ redact: true }], {
      body: 'b',
      attributes: ['to', 'a@b.org', 'http.request.header.authorization', 'x', 'n', '7'],
    });
    expect(ran.fields).toEqual({
      to: '<redacted:email>',
      'http.request.header.authorization': '<redacted:password>',
      n: '7',
    });
    expect(
      line([{ redact: true }, { parse: '^%{NOTSPACE:who} %{GREEDYDATA:message}' }], 'a@b.org came').fields,
    ).toEqual({ who: '<redacted:email>' });
  });

  it('covers resources, and keeps one for records that share one', () => {
    const pipeline = compiled({ steps: [{ redact: true }] });
    const resource = ['process.command_line', 'till --password=rye', 'host.name', 'h'];
    const first = run(pipeline, { resource }).record.resource;
    expect(first).toEqual(['process.command_line', 'till --password=<redacted:password>', 'host.name', 'h']);
    expect(run(pipeline, { resource }).record.resource).toBe(first);
    expect(resource[1]).toBe('till --password=rye');
  });

  it('takes own patterns, and hashes by a key', () => {
    const pipeline = compiled({
      steps: [{ redact: { kinds: 'emails', patterns: { order: 'o-\\d+' }, replace: 'hash', key: 'sixteen-letters!' } }],
    });
    const { body } = run(pipeline, { body: 'o-7 a@b.org o-7 c@d.org' }).record;
    const [first, second, third, fourth] = body.split(' ');
    expect(first).toMatch(/^<redacted:order:[0-9a-f]{16}>$/);
    expect(third).toBe(first);
    expect(second).not.toBe(fourth);
    expect(pipeline.counts().map(({ reason, count }) => [reason, count])).toEqual([
      ['redacted', 1],
      ['email', 2],
      ['order', 2],
    ]);
  });

  it('redacts what is set aside before its turn came', () => {
    const { record, outcome } = steps([{ dead: true }, { redact: true }], { body: 'a@b.org' });
    expect(outcome.kind).toBe('dead');
    expect(record.body).toBe('<redacted:email>');
  });

  it('changes nothing when it is done twice', () => {
    const once = clean(`password=rye ${jwt} a@b.org`);
    expect(clean(once)).toBe(once);
  });
});

describe('the scanners on anything', () => {
  const kinds: ReadonlySet<SecretKind> = new Set(secretKinds);
  const cost = (text: string): number => {
    const before = process.cpuUsage();
    findSecrets(text, kinds);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };

  it.each([
    'eyJ',
    'eyJa.',
    '-eyJ',
    '@',
    'a@',
    'a@b.',
    '1 ',
    '4111-',
    '4',
    '+1',
    '+1 ',
    ':',
    '::',
    'a:',
    '://',
    '://a:',
    'password',
    'password=',
    'token:',
    'bearer ',
    'bearer a',
    'AKIA',
    'ghp_',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY',
    '"',
    '.',
    '1.',
    '\\"',
    'cookie: ',
    'authorization: basic ',
  ])('are linear in 256 KiB of %j', (unit) => {
    expect(cost(unit.repeat(Math.ceil(262_144 / unit.length)))).toBeLessThan(1_500);
  });

  it('give spans in order, within the text, none over another', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const pieces = [
      'a',
      '@',
      'b.org',
      ' ',
      '4111111111111111',
      'password',
      '=',
      ':',
      '"',
      jwt,
      '\u0000',
      'ü',
      '😀',
      '192.0.2.1',
      '::1',
      '://',
      '\n',
      '+4930901820',
      aws,
      ';',
    ];
    for (let round = 0; round < 3_000; round++) {
      const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)] as string).join('');
      let end = 0;
      for (const span of findSecrets(text, kinds)) {
        expect(span.start).toBeGreaterThanOrEqual(end);
        expect(span.end).toBeGreaterThan(span.start);
        end = span.end;
      }
      expect(end).toBeLessThanOrEqual(text.length);
    }
  });
});
