import { describe, expect, it } from 'vitest';
import { defaultView, formatView, parseView, queryOf, resolveTime, type View } from './view.ts';

describe('view', () => {
  it('survives its own URL', () => {
    const view: View = {
      ...defaultView,
      tab: 'logs',
      from: '1700000000000',
      to: '1700000100000',
      service: 'a b&c=d',
      text: '<script>',
      severity: 17,
    };
    expect(parseView(formatView(view).slice(1))).toEqual(view);
  });

  it('the usual view has the shortest address', () => {
    expect(formatView(defaultView)).toBe('/');
    expect(parseView('')).toEqual(defaultView);
  });

  it('leaves out what makes no sense', () => {
    expect(parseView('?tab=evil&from=javascript:1&score=900&severity=-1&anomaly=../x&sort=no')).toEqual(defaultView);
  });

  it('resolves times as the API does', () => {
    expect(resolveTime('now', 10)).toBe(10);
    expect(resolveTime('now-2m', 200_000)).toBe(80_000);
    expect(resolveTime('123', 0)).toBe(123);
  });

  it('sends only what is set', () => {
    expect(queryOf({ a: '', b: 0, c: undefined })).toBe('');
    expect(queryOf({ service: 'a b', score: 50 })).toBe('?service=a+b&score=50');
  });
});
