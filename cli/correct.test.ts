import { describe, expect, it } from 'vitest';
import { parseCorrections } from './correct.ts';

const doer = { by: 'ana', atMs: 7, why: '' };

describe('an import of corrections', () => {
  it('takes the lines of an export, and those with little more than a text', () => {
    const lines = [
      '{"id":"x","service":"shop","text":"paid <*>","templateId":"t1","severity":"INFO","category":"billing","by":"ben","atMs":1,"why":"no fault"}',
      '',
      '{"text":"lamp <*>","category":"lamps"}',
    ];
    expect(parseCorrections(lines.join('\n'), doer)).toEqual([
      {
        ...doer,
        service: 'shop',
        text: 'paid <*>',
        templateId: 't1',
        severity: 'INFO',
        category: 'billing',
        why: 'no fault',
      },
      { ...doer, service: '', text: 'lamp <*>', templateId: '', severity: '', category: 'lamps' },
    ]);
    expect(parseCorrections(lines[0] as string, { ...doer, why: 'moved' })[0]?.why).toBe('moved');
  });

  it.each([
    ['{"text":"a","severity":"WARN"}\n[1]', /Line 2 of the import is no correction/],
    ['{"text":4,"severity":"WARN"}', /Line 1 of the import is no correction: "text" is no text/],
    ['{"text":"a","severity":"LOUD"}', /Line 1 of the import: "LOUD" is no severity/],
    ['{"text":"a"}', /Line 1 of the import: .* neither severity nor category/],
    ['\n', /holds no correction/],
  ])('says what is wrong with %s', (text, told) => {
    expect(() => parseCorrections(text, doer)).toThrow(told);
  });
});
