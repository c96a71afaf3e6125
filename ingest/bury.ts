/** Dead letters of one request: put when it is known that its sender will not come again with all of it. */
import type { DeadLetters } from '#bus/mod.ts';
import type { DeadLetter, DeadReason, DeadResend, LogweirError } from '#protocol/mod.ts';

export interface Origin {
  /** As its port is named. */
  receiver: string;
  /** Client address. */
  source: string;
}

/**
 * Sets aside a record of a request. `bytes` are as they came, or made when the letter is written; `resend` says how they
 * can be sent by themselves.
 */
export type Bury = (
  detail: string,
  bytes: Uint8Array | (() => Uint8Array),
  more?: { service?: string; resend?: DeadResend | undefined },
) => void;

export const noBury: Bury = () => {};

/** Letters kept of one request; the others are named by number alone. */
const lettersPerRequestMax = 1_000;

export class Buried {
  private readonly origin: Origin;
  /** Written one by one when they are put: a record with what is around it is many times its size. */
  private readonly letters: (() => DeadLetter)[] = [];
  private more = 0;
  private readonly atMs: number;

  constructor(origin: Origin, atMs: number) {
    this.origin = origin;
    this.atMs = atMs;
  }

  readonly bury: Bury = (detail, bytes, { service = '', resend } = {}) => {
    if (this.letters.length >= lettersPerRequestMax) this.more++;
    else
      this.letters.push(() =>
        this.letter(reasonOf(detail), detail, typeof bytes === 'function' ? bytes() : bytes, service, resend),
      );
  };

  /** A letter that is written already. */
  readonly keep = (letter: DeadLetter): void => {
    if (this.letters.length >= lettersPerRequestMax) this.more++;
    else this.letters.push(() => letter);
  };

  /** The request was answered: what it was not taken for is set aside. */
  putAll(dead: DeadLetters): void {
    const { letters, more } = this;
    for (const letter of letters) dead.put(letter());
    if (more > 0) dead.put(this.letter('rejected', `${more} more of this request are not kept`, new Uint8Array(), ''));
  }

  /** A request that was refused whole. `bytes`: as they came. */
  putRequest(dead: DeadLetters, error: LogweirError, bytes: Uint8Array, resend: DeadResend | undefined): void {
    const reason = error.code === 'BODY_TOO_LARGE' ? 'too_long' : 'malformed';
    dead.put(this.letter(reason, error.message, bytes, '', resend));
  }

  private letter(
    reason: DeadReason,
    detail: string,
    bytes: Uint8Array,
    service: string,
    resend?: DeadResend,
  ): DeadLetter {
    const { atMs, origin } = this;
    return { reason, detail, ...origin, service, atMs, bytes, ...(resend === undefined ? {} : { resend }) };
  }
}

/** Rejections are told to senders in words, which all receivers choose alike. */
export function reasonOf(detail: string): DeadReason {
  if (/\d+ are allowed/.test(detail)) return 'too_long';
  return /malformed|not? JSON|no object|no whole JSON|nested/.test(detail) ? 'malformed' : 'rejected';
}
