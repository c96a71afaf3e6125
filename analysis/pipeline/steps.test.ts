import { describe, expect, it } from 'vitest';
import { RecordView, viewOf } from '#protocol/mod.ts';
import { Item } from './item.ts';
import { compiled, line, now, run, steps } from './testing.fixture.ts';

const iso = (ms: number | undefined): string => new Date(ms ?? Number.NaN).toISOString();

describe('parse', () => {
  it('reads a line by named patterns and gives fields their roles', () => {
    const { record, fields, outcome } = line(
      [
        {
          parse:
            '%{TIMESTAMP_ISO8601:timestamp} %{LOGLEVEL:level} %{IP:client.address} took %{NUMBER:took_ms:int} ms: %{GREEDYDATA:message}',
        },
      ],
      '2026-05-02T03:04:05.678Z WARN 192.0.2.7 took 012.9 ms: oven is cold',
    );
    expect(outcome.kind).toBe('ok');
    expect(record).toMatchObject({ body: 'oven is cold', severityText: 'WARN', severityNumber: 13 });
    expect(iso(record.timeMs)).toBe('2026-05-02T03:04:05.678Z');
    expect(fields).toEqual({ 'client.address': '192.0.2.7', took_ms: '12' });
  });

  it('takes the first format that fits, and tells which', () => {
    const pipeline = compiled({
      patterns: { LOAF: 'loaf-\\d+' },
      steps: [
        { parse: { formats: ['^sold %{LOAF:loaf}$', '^baked %{LOAF:loaf} in %{INT:minutes:int}m$'], onMiss: 'dead' } },
      ],
    });
    expect(run(pipeline, {}, {}, { head: 'baked loaf-7 in +40m' }).fields).toEqual({ loaf: 'loaf-7', minutes: '40' });
    expect(run(pipeline, {}, {}, { head: 'ate loaf-7' }).outcome).toMatchObject({
      kind: 'dead',
      reason: 'no format fits',
      step: '1 parse',
    });
    expect(pipeline.counts().map(({ reason, count }) => [reason, count])).toEqual([
      ['parsed', 1],
      ['no format fits', 1],
    ]);
  });

  it('keeps the lines behind the first with the body', () => {
    const { record } = line([{ parse: '^%{WORD:shop}: %{GREEDYDATA:message}' }], 'rye: burnt', 'at oven 1\nat oven 2');
    expect(record.body).toBe('burnt\nat oven 1\nat oven 2');
    const whole = line(
      [{ parse: { formats: '^%{WORD:shop}: %{GREEDYDATA:message}$', whole: true } }],
      'rye: burnt',
      'at oven 1',
    );
    expect(whole.record.body).toBe('burnt\nat oven 1');
  });

  it('leaves the line as body where no field is one, and forgets what a built-in format made of it', () => {
    const pipeline = compiled({ steps: [{ parse: '^%{WORD:a} %{WORD:b}$' }] });
    const { record, fields } = run(
      pipeline,
      { body: 'two', attributes: ['logger', 'one'], service: 'one' },
      {},
      { head: 'one two', serviceElse: 'mill' },
    );
    expect(record).toMatchObject({ body: 'one two', service: 'mill' });
    expect(fields).toEqual({ a: 'one', b: 'two' });
  });

  it('keeps what was around the line of a container', () => {
    const pipeline = compiled({ steps: [{ parse: '^%{WORD:a} %{WORD:tag}$' }] });
    const { fields } = run(
      pipeline,
      { body: 'two', attributes: ['logger', 'one', 'log.iostream', 'stderr', 'tag', 'three'] },
      {},
      { head: 'one two', wrapper: ['log.iostream', 'tag', 'gone'] },
    );
    expect(fields).toEqual({ a: 'one', tag: 'two', 'log.iostream': 'stderr' });
  });

  it('does not take the service from a line whose sender named it', () => {
    const { record } = line([{ parse: '^%{WORD:service} %{GREEDYDATA:message}' }], 'oven hot', '', {
      serviceGiven: true,
    });
    expect(record).toMatchObject({ body: 'hot', service: 'till' });
  });

  it('reads an attribute into attributes, and the body of records without lines', () => {
    const { fields, record } = steps(
      [{ parse: { formats: '(?<order.id>\\d+)/(?P<level>\\w+)', field: 'ref', prefix: 'x.' } }],
      {
        body: 'b',
        attributes: ['ref', '77/gold'],
      },
    );
    expect(fields).toEqual({ ref: '77/gold', 'x.order.id': '77', 'x.level': 'gold' });
    expect(record.severityText).toBe('');
    expect(
      steps([{ parse: '^%{WORD:level} %{GREEDYDATA:msg}' }], { body: 'ERROR no flour\nsecond' }).record,
    ).toMatchObject({
      body: 'no flour\nsecond',
      severityNumber: 17,
    });
  });

  it('reads what Apache and syslog write', () => {
    const { fields, record } = line(
      [{ parse: '^%{COMBINEDAPACHELOG}$' }],
      '192.0.2.1 - anna [02/May/2026:03:04:05 +0200] "GET /bread?kind=rye HTTP/1.1" 200 512 "-" "Browser/5.0 (X11)"',
    );
    expect(iso(record.timeMs)).toBe('2026-05-02T01:04:05.000Z');
    expect(fields).toEqual({
      'client.address': '192.0.2.1',
      'user.name': 'anna',
      'http.request.method': 'GET',
      'url.original': '/bread?kind=rye',
      'network.protocol.version': '1.1',
      'http.response.status_code': '200',
      'http.response.body.size': '512',
      'user_agent.original': 'Browser/5.0 (X11)',
    });
    const syslog = line([{ parse: '^%{SYSLOGLINE}' }], 'May  2 03:04:05 mill-3 grinder[12]: stone turned');
    expect(syslog.record).toMatchObject({ body: 'stone turned', resource: ['host.name', 'mill-3'] });
    expect(syslog.fields).toEqual({ 'process.name': 'grinder', 'process.pid': '12' });
  });
});

describe('json, logfmt, kv', () => {
  it('takes fields out of the body, text before them allowed', () => {
    const { record, fields } = steps([{ json: true }], {
      body: 'event: {"level":"error","msg":"no flour","oven":{"id":7},"tags":["a"]}',
    });
    expect(record).toMatchObject({ body: 'no flour', severityNumber: 17 });
    expect(fields).toEqual({ 'oven.id': '7', tags: '["a"]' });
  });

  it('takes an attribute apart, under a prefix', () => {
    const { fields } = steps([{ json: { field: 'payload', prefix: 'p.' } }], {
      body: 'b',
      attributes: ['payload', '{"a":1,"error":"x"}'],
    });
    expect(fields).toEqual({ 'p.a': '1', 'p.error': 'x' });
  });

  it('reads pairs with quotes and escapes', () => {
    const { record, fields } = steps([{ logfmt: true }], {
      body: 'served level=warn msg="said \\"hi\\"" took=3ms flag empty=',
    });
    expect(record).toMatchObject({ body: 'said "hi"', severityNumber: 13 });
    expect(fields).toEqual({ took: '3ms', empty: '' });
    expect(steps([{ kv: { pairs: '&', equals: '=' } }], { body: 'a=1&b=two words&c' }).fields).toEqual({
      a: '1',
      b: 'two words',
    });
    expect(
      steps([{ kv: { pairs: ';', equals: ':', onMiss: 'drop' } }], { body: 'nothing here' }).outcome,
    ).toMatchObject({ kind: 'drop', reason: 'no pairs' });
  });
});

describe('map', () => {
  it('copies, moves, sets, removes', () => {
    const { record, fields } = steps(
      [
        {
          map: {
            copy: { shop: 'resource.shop' },
            move: { text: 'body', host: 'resource.host.name' },
            set: { team: 'bread', where: '%{shop}/%{aisle}' },
            remove: ['tmp.*', 'aisle'],
            service: ['nope', 'app'],
          },
        },
      ],
      {
        body: 'old',
        attributes: [
          'shop',
          'rye',
          'text',
          'new',
          'host',
          'h1',
          'aisle',
          '7',
          'tmp.a',
          '1',
          'tmp.b',
          '2',
          'app',
          'oven',
        ],
      },
    );
    expect(record).toMatchObject({ body: 'new', service: 'oven', resource: ['shop', 'rye', 'host.name', 'h1'] });
    expect(fields).toEqual({ shop: 'rye', app: 'oven', team: 'bread', where: 'rye/7' });
  });

  it('knows severities by a table, and leaves the word', () => {
    const list = [
      { parse: '^%{WORD:level} %{GREEDYDATA:message}' },
      { map: { severity: { field: 'level', table: { BAD: 'ERROR', Meh: 14 } } } },
    ];
    expect(line(list, 'bad oven').record).toMatchObject({ severityNumber: 17, severityText: 'bad', body: 'oven' });
    expect(line(list, 'MEH oven').record).toMatchObject({ severityNumber: 14 });
    expect(line(list, 'debug oven').record).toMatchObject({ severityNumber: 5 });
  });
});

describe('when and unless', () => {
  const list = (when: unknown) => [{ when, drop: true }];
  it.each([
    [{ service: 'ti*' }, true],
    [{ service: ['a', 'b'] }, false],
    [{ receiver: 'ingest' }, true],
    [{ receiver: 'syslog' }, false],
    [{ file: '*.log' }, true],
    [{ file: '/var/*/x.log' }, true],
    [{ file: '/x.log' }, false],
    [{ severityMin: 'WARN' }, true],
    [{ severityMin: 'ERROR' }, false],
    [{ severityMax: 'INFO' }, false],
    [{ severityMax: 'WARN' }, true],
    [{ body: '^GET /health' }, true],
    [{ line: '^GET /health' }, true],
    [{ fields: { env: 'prod' } }, true],
    [{ fields: { env: ['dev', 'test'] } }, false],
    [{ fields: { env: { matches: '^p' }, other: { exists: false } } }, true],
    [{ service: 'till', receiver: 'syslog' }, false],
  ])('%j is %s', (when, met) => {
    const record = { body: 'GET /healthz', severityNumber: 14, attributes: ['env', 'prod'] };
    const origin = { file: '/var/log/x.log' };
    expect(steps(list(when), record, origin).outcome.kind).toBe(met ? 'drop' : 'ok');
    expect(steps([{ unless: when, drop: true }], record, origin).outcome.kind).toBe(met ? 'ok' : 'drop');
  });

  it('counts a severity that nobody said as neither high nor low', () => {
    expect(steps(list({ severityMax: 'FATAL' }), { body: 'x' }).outcome.kind).toBe('ok');
  });
});

describe('drop, keep, sample, dead, redirect', () => {
  it('names the reason', () => {
    expect(steps([{ name: 'noise', drop: 'health checks' }], {}).outcome).toMatchObject({
      kind: 'drop',
      step: 'noise',
      reason: 'health checks',
    });
    expect(steps([{ dead: { reason: 'from nowhere' } }], {}).outcome).toMatchObject({
      kind: 'dead',
      reason: 'from nowhere',
    });
  });

  it('keeps what a keep step names', () => {
    const list = [{ when: { severityMin: 'ERROR' }, keep: true }, { sample: 0 }, { drop: true }];
    expect(steps(list, { severityNumber: 17 }).outcome.kind).toBe('ok');
    expect(steps(list, { severityNumber: 9 }).outcome).toMatchObject({ kind: 'drop', reason: 'sampled out' });
  });

  it('samples whole traces, near the rate, the same on every gateway', () => {
    const one = compiled({ steps: [{ sample: { rate: 0.1, key: 'trace_id' } }] });
    const other = compiled({ steps: [{ sample: { rate: 0.1, key: 'trace_id' } }] });
    let kept = 0;
    for (let i = 0; i < 20_000; i++) {
      const traceId = (i * 2_654_435_761).toString(16).padStart(32, '0');
      const first = run(one, { traceId, body: `a${i}` }).outcome.kind;
      expect(run(other, { traceId, body: 'b' }).outcome.kind).toBe(first);
      if (first === 'ok') kept++;
    }
    expect(kept).toBeGreaterThan(1_850);
    expect(kept).toBeLessThan(2_150);
  });

  it('redirects at once, and says from where', () => {
    const { outcome, record, fields } = steps([{ redirect: 'archive' }, { drop: true }], { service: 'till' });
    expect(outcome).toMatchObject({ kind: 'redirect', reason: 'to archive' });
    expect(record.service).toBe('archive');
    expect(fields).toEqual({ 'redirected.from': 'till' });
  });
});

describe('enrich', () => {
  const tables = {
    'hosts.csv': {
      columns: ['host', 'rack', 'owner'],
      rows: [
        ['h1', 'r7', 'anna'],
        ['h2', 'r8', ''],
      ],
    },
  };
  it('adds columns by a key', () => {
    const all = compiled({ steps: [{ enrich: { table: 'hosts.csv', field: 'resource.host.name' } }] }, tables);
    expect(run(all, { resource: ['host.name', 'h1'] }).fields).toEqual({ rack: 'r7', owner: 'anna' });
    const some = compiled(
      {
        steps: [
          {
            enrich: {
              table: 'hosts.csv',
              field: 'h',
              key: 'rack',
              add: { owner: 'resource.owner' },
              ignoreCase: true,
              onMiss: 'dead',
            },
          },
        ],
      },
      tables,
    );
    expect(run(some, { attributes: ['h', 'R7'] }).record.resource).toEqual(['owner', 'anna']);
    expect(run(some, { attributes: ['h', 'r9'] }).outcome).toMatchObject({ kind: 'dead', reason: 'not in the table' });
  });
});

describe('views', () => {
  it('gives back the view that came where nothing changed, and an equal one where something did', () => {
    const record = {
      body: 'grüße',
      severityNumber: 9,
      severityText: 'info',
      service: 'till',
      timeMs: 1,
      attributes: ['a', 'ü', 'b', ''],
    };
    const view = viewOf(record, { observedMs: now, service: 'x' }, new RecordView());
    view.idempotencyKey = 'k';
    view.ordinal = 7;
    const origin = { receiver: 'ingest', file: '', nowMs: now, serviceGiven: false };
    const item = new Item();
    item.loadView(view, origin, null);
    expect(compiled({ steps: [{ when: { service: 'x' }, map: { set: { c: '1' } } }] }).run(item).kind).toBe('ok');
    expect(item.toView()).toBe(view);
    item.loadView(view, origin, null);
    compiled({ steps: [{ map: { set: { c: 'ö' } } }] }).run(item);
    const out = item.toView();
    const text = (start: number | undefined, end: number | undefined) =>
      Buffer.from(out.bytes.subarray(start, end)).toString();
    expect(text(out.bodyStart, out.bodyEnd)).toBe('grüße');
    expect(out.attributeKeys.slice(0, out.attributeCount)).toEqual(['a', 'b', 'c']);
    expect([0, 1, 2].map((i) => text(out.attributeStarts[i], out.attributeEnds[i]))).toEqual(['ü', '', 'ö']);
    expect(out).toMatchObject({
      timeMs: 1,
      observedMs: now,
      idempotencyKey: 'k',
      ordinal: 7,
      severityNumber: 9,
      service: 'till',
    });
  });
});
