/** Receivers, the gateway and file reading: how logs come in. */
export { BatchPublisher, type BatchPublisherOptions, Ticket } from './batch-publisher.ts';
export type { FileCounts } from './file-source.ts';
export { follow } from './follow.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { runJob } from './job.ts';
