/** Receivers, the gateway and file reading: how logs come in. */
export { parseRates, Quotas } from './admission/mod.ts';
export { BatchPublisher, type BatchPublisherOptions, Ticket } from './batch-publisher.ts';
export { emptyCounts, type FileCounts, type FileRecord } from './file-source.ts';
export { follow } from './follow.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { type ListeningName, listeningNames } from './listening.ts';
export { readRecords, runJob } from './job.ts';
export { Sockets } from './sockets.ts';
