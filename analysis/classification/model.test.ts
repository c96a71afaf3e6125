import { describe, expect, it } from 'vitest';
import { baseModel } from './base.ts';
import { decodeModel, encodeModel } from './codec.ts';
import { classifyAll, prequential } from './filters.ts';
import { trainModel } from './train-model.ts';

const labelled = [
  { body: 'lamp 4 is on', severity: 'INFO', category: 'light' },
  { body: 'lamp 5 is off', severity: 'INFO', category: 'light' },
  { body: 'lamp 6 broke', severity: 'FATAL', category: 'light' },
  { body: 'tap 4 is open', severity: 'INFO', category: 'water' },
  { body: 'tap 9 drips', severity: 'WARN', category: 'water' },
  { body: 'pressure=4 flow=2', severity: 'TRACE', category: 'water' },
];
const lines = ['lamp 7 is on', 'tap 2 drips', 'something else failed', ''];

describe('models', () => {
  it('survive the trip through bytes bit for bit', () => {
    const model = trainModel(labelled);
    const bytes = encodeModel(model);
    const again = decodeModel(bytes);
    expect(encodeModel(again)).toEqual(bytes);
    expect([...classifyAll(lines, again)]).toEqual([...classifyAll(lines, model)]);
  });

  it('are the same for the same records', () => {
    expect(encodeModel(trainModel(labelled))).toEqual(encodeModel(trainModel(labelled)));
  });

  it('use exactly the labels given, and the base where none are', () => {
    const model = trainModel(labelled);
    expect(model.category.labels).toEqual(['light', 'water']);
    const severityOnly = trainModel(labelled.map(({ body, severity }) => ({ body, severity })));
    expect(severityOnly.category.labels).toEqual(baseModel.category.labels);
    expect(trainModel([]).severity.labels).toEqual(['DEBUG', 'INFO', 'WARN', 'ERROR']);
  });

  it('refuse bytes that are cut, damaged, foreign or empty', () => {
    const bytes = encodeModel(trainModel(labelled));
    expect(() => decodeModel(new Uint8Array())).toThrow(/model/);
    expect(() => decodeModel(new TextEncoder().encode('{"not":"a model, but long enough"}'))).toThrow(/model/);
    for (const end of [7, 20, 100, bytes.length - 1])
      expect(() => decodeModel(bytes.subarray(0, end))).toThrow(/model/);
    for (const at of [0, 9, 30, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x40;
      expect(() => decodeModel(damaged)).toThrow(/model/);
    }
  });
});

describe('the base model', () => {
  it.each([
    ['ERROR', 'security', 'Possible intrusion detected on host 10.0.0.7'],
    ['ERROR', 'database', 'cannot connect to database orders: connection refused'],
    ['INFO', 'http', '10.1.2.3 "GET /api/cart/12 HTTP/1.1" status: 200 len: 812 time: 0.04'],
    ['WARN', 'deprecation', 'The option fooBar is deprecated and will be removed in version 4, use bazQux'],
    ['INFO', 'user action', 'User 4711 logged in from 10.0.0.3'],
    ['DEBUG', 'application', 'entering method computeTotals'],
  ])('says %s, %s', (severity, category, text) => {
    expect([...classifyAll([text])][0]).toMatchObject({ line: 1, severity, category });
  });

  it('learns a stream of labels while it answers', () => {
    const stream = Array.from({ length: 200 }, (_, i) => labelled[i % labelled.length] as (typeof labelled)[number]);
    const answers = [...prequential(stream)];
    const wanted = ['INFO', 'INFO', 'ERROR', 'INFO', 'WARN', 'DEBUG'];
    const right = answers.filter((a, i) => a.severity === wanted[i % 6]).length;
    expect(right).toBeGreaterThan(190);
    expect(answers[199]).toMatchObject({ line: 200, category: 'light' });
  });
});
