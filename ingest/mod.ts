/** Receivers, the gateway and file reading: how logs come in. */
export { BatchPublisher, type BatchPublisherOptions, Ticket } from './batch-publisher.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
