import { describe, expect, it } from 'vitest';
import { TerminalText } from './terminal-text.ts';

const hostile = 'a\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eb\tc\r\nd\re\n';

describe('text for a terminal', () => {
  it('shows control characters instead of sending them', () => {
    const shown = new TerminalText(true).shown(hostile);
    expect(shown).toBe('a\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u{202e}b\tc\nd\\x0de\n');
  });

  it('takes bytes however they are cut', () => {
    const text = new TerminalText(true);
    const bytes = Buffer.from('grün \u001b[31m');
    expect([...bytes].map((byte) => text.shown(Uint8Array.of(byte))).join('')).toBe('grün \\x1b[31m');
  });

  it('leaves pipes and files what it is given', () => {
    const bytes = Buffer.from(hostile);
    expect(new TerminalText(false).shown(bytes)).toBe(bytes);
    expect(new TerminalText(false).shown(hostile)).toBe(hostile);
  });
});
