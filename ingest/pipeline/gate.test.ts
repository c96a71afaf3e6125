import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { receiverNames } from '#analysis/pipeline/mod.ts';
import { CollectedDeadLetters } from '#bus/mod.ts';
import { LogweirError, type LogRecord, recordBytesMax, RecordView, viewOf } from '#protocol/mod.ts';
import { NdjsonScanner } from '../ndjson.ts';
import { listeningReceivers, receiverServers, receivers } from '../receivers/mod.ts';
import { Gate, openGate, type Source } from './gate.ts';
import { openPipeline } from './open.ts';
import { readTable } from './tables.ts';

const source: Source = { receiver: 'ingest', place: '192.0.2.1', file: '', nowMs: 1_000, serviceGiven: false, line: 0 };
const record = (more: Partial<LogRecord> = {}): LogRecord => ({
  body: 'b',
  severityNumber: 0,
  severityText: '',
  service: 'till',
  timeMs: 1_777_691_045_678,
  ...more,
});
const gateOf = (steps: unknown[]) => {
  const dead = new CollectedDeadLetters();
  return { dead, gate: new Gate(openPipeline({ steps }, '.'), dead) };
};

describe('Gate', () => {
  it('is no more than a question where nothing is configured', () => {
    const view = viewOf(record(), { observedMs: 0, service: '' }, new RecordView());
    expect(openGate.passView(view, source, null)).toBe(view);
    const one = record();
    expect(openGate.passRecord(one, source)).toBe(one);
    expect(openGate.lineOptions('file', 'a.log', '')).toEqual({});
    expect([openGate.metrics(), openGate.counters()]).toEqual(['', {}]);
  });

  it('drops, redirects, sets aside and counts', () => {
    const { gate, dead } = gateOf([
      { name: 'noise "x"', when: { body: '^noise' }, drop: 'noise' },
      { when: { body: '^away' }, redirect: 'attic' },
      { name: 'odd', when: { body: '^odd' }, dead: 'odd ones' },
    ]);
    expect(gate.passRecord(record({ body: 'noise' }), source)).toBeNull();
    expect(gate.passRecord(record({ body: 'away' }), source)).toMatchObject({ service: 'attic' });
    expect(gate.passRecord(record({ body: 'odd' }), source)).toBeNull();
    expect(gate.counters()).toEqual({ pipelineDropped: 1, pipelineDead: 1, pipelineRedirected: 1 });
    expect(gate.metrics()).toContain(
      'logweir_pipeline_records_total{step="noise \\"x\\"",outcome="drop",reason="noise"} 1\n',
    );
    expect(dead.letters).toMatchObject([
      {
        reason: 'pipeline',
        detail: 'odd: odd ones',
        receiver: 'ingest',
        source: '192.0.2.1',
        service: 'till',
        atMs: 1_000,
      },
    ]);
  });

  it('keeps lines as they came, to be sent again as they came', () => {
    const { gate, dead } = gateOf([{ parse: { formats: '^x', onMiss: 'dead' } }]);
    const raw = { head: 'May 1 y', tail: ' more', serviceElse: '', serviceGiven: true };
    gate.passRecord({ ...record({ body: 'y\n more' }), raw }, source);
    const [letter] = dead.letters;
    expect(Buffer.from(letter?.bytes ?? []).toString()).toBe('May 1 y\n more');
    expect(letter?.resend).toEqual({ path: '/ingest?service=till', contentType: 'text/plain' });
  });

  it("sets a container's lines aside as records: what was around them is not in the text", () => {
    const { gate, dead } = gateOf([{ dead: true }]);
    const raw = { head: 'y', tail: '', serviceElse: '', serviceGiven: false, wrapper: ['log.iostream'] };
    gate.passRecord({ ...record({ body: 'y', attributes: ['log.iostream', 'stderr'] }), raw }, source);
    const [letter] = dead.letters;
    expect(JSON.parse(Buffer.from(letter?.bytes ?? []).toString())).toMatchObject({ 'log.iostream': 'stderr' });
    expect(letter?.resend?.contentType).toBe('application/x-ndjson');
  });

  it('sets records aside without their secrets, as what /ingest reads as the same', () => {
    const { gate, dead } = gateOf([{ dead: true }, { redact: true }]);
    const raw = { head: 'password=rye', tail: '', serviceElse: '', serviceGiven: false };
    gate.passRecord(
      {
        ...record({
          body: 'password=rye',
          timeSubNs: 901_234,
          severityText: 'warn',
          severityNumber: 13,
          traceId: 'a'.repeat(32),
          attributes: ['n', '7'],
          resource: ['host.name', 'h'],
        }),
        raw,
      },
      source,
    );
    const bytes = Buffer.from(dead.letters[0]?.bytes ?? []);
    const scanner = new NdjsonScanner(bytes, 0, 'x');
    expect(scanner.next()).toBe('record');
    const { view } = scanner;
    expect(bytes.toString()).not.toContain('rye');
    expect(view).toMatchObject({
      service: 'till',
      severityText: 'warn',
      severityNumber: 13,
      timeMs: 1_777_691_045_678,
      timeSubNs: 901_234,
      traceId: 'a'.repeat(32),
      resource: ['host.name', 'h'],
    });
    expect(view.attributeKeys.slice(0, view.attributeCount)).toEqual(['n']);
  });

  it('sets aside what steps made too large, and folds attributes over their number', () => {
    const { gate, dead } = gateOf([{ map: { set: { copy: '%{body}' } } }]);
    expect(gate.passRecord(record({ body: 'x'.repeat(recordBytesMax / 2 + 1) }), source)).toBeNull();
    expect(dead.letters[0]?.detail).toBe('over the limit of one record');
    const moved = gateOf([{ map: { copy: { body: 'resource.copy' } } }]);
    expect(moved.gate.passRecord(record({ body: 'x'.repeat(recordBytesMax / 2 + 1) }), source)).toBeNull();
    const many = gate.passRecord(record({ attributes: Array.from({ length: 260 }, (_, i) => `a${i}`) }), source);
    expect(many?.attributes).toHaveLength(256);
    expect(many?.attributes?.at(-2)).toBe('attributes.rest');
  });
});

describe('receivers that conditions may name', () => {
  it('are those that there are', () => {
    const all = [...receivers, ...receiverServers, ...listeningReceivers].map(({ name }) => name);
    expect([...receiverNames].sort()).toEqual([...new Set(['file', 'nats', ...all])].sort());
    const page = readFileSync(new URL('../../docs/pipeline.md', import.meta.url), 'utf8');
    const listed = /^\| `receiver` \| it came by one of these: (.*) \|$/m
      .exec(page)?.[1]
      ?.replaceAll('`', '')
      .split(', ');
    expect(listed?.sort()).toEqual([...receiverNames].sort());
    expect(() => gateOf([{ when: { receiver: ['sislog'] }, drop: true }])).toThrow(
      'pipeline.steps[0].when.receiver[0] is "sislog"',
    );
  });
});

describe('tables', () => {
  const directory = mkdtempSync(join(tmpdir(), 'logweir-tables-'));
  const table = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return readTable(name, 'pipeline.steps[0].enrich.table', directory);
  };

  it('reads CSV, JSON and YAML', () => {
    expect(table('a.csv', '\uFEFFhost,rack\r\nh1,"r 7, ""upper"""\n\nh2,\n')).toEqual({
      columns: ['host', 'rack'],
      rows: [
        ['h1', 'r 7, "upper"'],
        ['h2', ''],
      ],
    });
    expect(table('a.json', '[{"h":"h1","n":7},{"h":"h2","o":{"x":1}}]')).toEqual({
      columns: ['h', 'n', 'o'],
      rows: [
        ['h1', '7', ''],
        ['h2', '', '{"x":1}'],
      ],
    });
    expect(table('a.yaml', 'h1: rye\nh2: { value: oat, team: b }\n')).toEqual({
      columns: ['key', 'value', 'team'],
      rows: [
        ['h1', 'rye', ''],
        ['h2', 'oat', 'b'],
      ],
    });
  });

  it.each([
    ['b.txt', 'a,b', 'A table is a .csv, .json or .yaml file.'],
    ['b.csv', 'a,b\n"x,1', 'where a quote of line 2 does not end'],
    ['c.csv', 'a,b\n"x"y,1', 'where line 2 goes on behind a quote'],
    ['d.csv', 'a\nb', 'which has 1 columns'],
    ['b.json', '{', 'which is no JSON'],
    ['c.json', '7', 'which holds no table'],
  ])('says what is wrong with %s', (name, text, expected) => {
    const error = ((): unknown => {
      try {
        return table(name, text);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(LogweirError);
    const { message, remedy } = error as LogweirError;
    expect(`${message} ${remedy}`).toContain(expected);
    expect(message).toMatch(/^pipeline\.steps\[0\]\.enrich\.table /);
  });

  it('names a table that is not there', () => {
    const steps = [{ enrich: { table: 'none.csv', field: 'host' } }];
    expect(() => openPipeline({ steps }, directory)).toThrow(
      `pipeline.steps[0].enrich.table names ${join(directory, 'none.csv')}, which does not exist.`,
    );
  });
});
