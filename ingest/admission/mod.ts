/** Who is let in while more is offered than can be taken. */
export { Admission, Refusal } from './admission.ts';
export { acceptMore, backlogMax, checkFree, sharing } from './accept.ts';
export { ConnectionLimit } from './connection-limit.ts';
export { type Share, shareOf } from './fair-share.ts';
export { FairTurns } from './fair-turns.ts';
export { HeldBytes } from './held-bytes.ts';
export { parseRates, Quotas, type Rate } from './quotas.ts';
