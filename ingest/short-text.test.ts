import { describe, expect, it } from 'vitest';
import { ownBytes, textOf } from './short-text.ts';

describe('short texts', () => {
  it('keep no request body alive', () => {
    const body = Buffer.from('{"service":"payments"}');
    const own = ownBytes(body, 12, 20);
    expect(Buffer.from(own).toString()).toBe('payments');
    expect(own.buffer.byteLength).toBe(8);
  });

  it('are decoded alike whether they are remembered or not', () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => `service-${i % 7_001}-ü`);
    for (const text of texts) {
      const bytes = Buffer.from(`"${text}"`);
      expect(textOf(bytes, 1, bytes.length - 1)).toBe(text);
    }
  });
});
