/** What every kind of channel is to the queue. */
import type { Notification } from '../core/types.ts';

export interface Channel {
  readonly name: string;
  /** Settles when the other side has taken it. @throws DeliveryError */
  deliver(notification: Notification): Promise<void>;
}

/** Why a delivery did not succeed, and whether another attempt may. */
export class DeliveryError extends Error {
  /** Another attempt would fail in the same way: wrong address, refused credentials. */
  readonly permanent: boolean;
  /** What the other side asked to wait, ms; null where it did not say. */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: { permanent?: boolean; retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'DeliveryError';
    this.permanent = options.permanent ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
