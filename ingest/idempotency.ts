/**
 * `Idempotency-Key`: under one key a request is stored once, however often and through whichever gateway it comes.
 * With its records travels one name of 22 characters, made of key, service and body: the same key with another body
 * is another request, and what a client sends as its key makes nothing longer.
 */
import { createHash } from 'node:crypto';
import { LogweirError } from '#protocol/mod.ts';

/** Characters of a key. A UUID has 36; some clients send a signed path. */
export const idempotencyKeyCharactersMax = 256;
const visible = /^[\x21-\x7e]+$/;
/** 128 bits in base64url. */
const nameCharacters = 22;

/**
 * The name of a request, '' where it has no key.
 * @throws LogweirError REQUEST_INVALID
 */
export function idempotencyName(header: string | string[] | undefined, service: string, body: Uint8Array): string {
  if (header === undefined) return '';
  const key = Array.isArray(header) ? header.join(',') : header;
  const tooLong = key.length > idempotencyKeyCharactersMax;
  if (tooLong || !visible.test(key))
    throw new LogweirError(
      'REQUEST_INVALID',
      tooLong
        ? `Idempotency-Key has ${key.length} characters, ${idempotencyKeyCharactersMax} are allowed.`
        : 'Idempotency-Key is empty or has a character that is not visible ASCII.',
      'Send a UUID for each request, and the same one for its retries.',
    );
  const hash = createHash('sha256').update(`${key.length}:${key}${service.length}:${service}`).update(body);
  return hash.digest('base64url').slice(0, nameCharacters);
}
