/** The tables of receivers: over HTTP, and on ports of their own. A new protocol is one file and one line here. */
import type { ListeningReceiver } from '../listening.ts';
import type { Receiver, ReceiverServer } from '../receiver.ts';
import { datadogReceiver } from './datadog.ts';
import { firehoseReceiver } from './firehose.ts';
import { forwardHttpReceiver } from './forward-http.ts';
import { forwardReceiver } from './forward.ts';
import { gelfReceiver } from './gelf.ts';
import { elasticsearchReceiver } from './elasticsearch.ts';
import { ingestReceiver } from './ingest.ts';
import { journaldReceiver, journaldServer } from './journald.ts';
import { lokiReceiver } from './loki.ts';
import { otlpGrpcServer } from './otlp-grpc.ts';
import { otlpHttpReceiver } from './otlp-http.ts';
import { splunkReceiver } from './splunk.ts';
import { syslogReceiver } from './syslog.ts';

export const receivers: readonly Receiver[] = [
  ingestReceiver,
  otlpHttpReceiver,
  lokiReceiver,
  elasticsearchReceiver,
  splunkReceiver,
  journaldReceiver,
  datadogReceiver,
  firehoseReceiver,
  forwardHttpReceiver,
];
/** By the name of their port. */
export const receiverServers: readonly ReceiverServer[] = [otlpGrpcServer, journaldServer];
export const listeningReceivers: readonly ListeningReceiver[] = [syslogReceiver, gelfReceiver, forwardReceiver];
