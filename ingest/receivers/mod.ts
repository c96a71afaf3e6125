/** The table of receivers. A new protocol is one file and one line here. */
import type { Receiver } from '../receiver.ts';
import { ingestReceiver } from './ingest.ts';

export const receivers: readonly Receiver[] = [ingestReceiver];
