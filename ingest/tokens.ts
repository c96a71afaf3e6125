/** Tokens that the clients of a receiver must have one of; where none is configured, they need not. */
import { createHash } from 'node:crypto';

/** By receiver; none = any does. */
export type ReceiverTokens = Readonly<Record<'splunk' | 'datadog' | 'firehose', readonly string[]>>;

export class Tokens {
  private readonly known: ReadonlySet<string>;

  constructor(tokens: readonly string[]) {
    this.known = new Set(tokens.map(hashOf));
  }

  allow(token: string): boolean {
    return this.known.size === 0 || this.known.has(hashOf(token));
  }
}

/** Hashes are compared, so that the time it takes tells nothing of a token. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64');
