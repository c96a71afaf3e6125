import { describe, expect, it } from 'vitest';
import { deadLine, deadText } from './mod.ts';

describe('bytes of dead letters as text', () => {
  it('reach no terminal as control characters', () => {
    expect(deadText(Buffer.from('a\u001b[2Jb is long enough\n\tc'), 100)).toEqual({
      text: 'a\\x1b[2Jb is long enough\n\tc',
      kind: 'text',
      bytesMore: 0,
    });
    expect(deadText(Buffer.from('invoice \u202egpj.exe'), 100).text).toBe('invoice \\u{202e}gpj.exe');
    expect(deadText(Buffer.from('line of text one\r\n'), 100).text).toBe('line of text one\\x0d\n');
  });

  it('are dumped in hex where they are none, and cut between characters', () => {
    expect(deadText(Buffer.from([0x0a, 0x02, 0xff, 0x41]), 100)).toMatchObject({ kind: 'hex' });
    expect(deadText(Buffer.from([0xff, 0x41]), 100).text).toBe(`00000000  ff 41${' '.repeat(43)} .A`);
    expect(deadText(Buffer.from('aü'), 2)).toEqual({ text: 'a', kind: 'text', bytesMore: 1 });
    expect(deadLine(Buffer.from('a\n b'), 10)).toBe('a b');
    expect(deadLine(Buffer.from('x'.repeat(30)), 10)).toBe(`${'x'.repeat(9)}…`);
    expect(deadLine(Buffer.from([0xff]), 10)).toBe('(1 bytes that are no text)');
  });
});
