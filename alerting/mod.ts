/** Alerting: from findings to people. */
export { type AlertingConfig, type DeliveryConfig, parseAlertingConfig } from './config/mod.ts';
export type { ChannelConfig } from './config/channels.ts';
export type { AlertView, Notification } from './core/types.ts';
export type { Delivery, DeliveryOptions } from './delivery/queue.ts';
export type { WebhookBody } from './delivery/webhook.ts';
export type { AlertingMetrics, HistogramSnapshot } from './metrics.ts';
export { type AlertingDeps, type RunningAlerting, runAlerting } from './run.ts';
export { type Rehearsal, type RehearsedIncident, rehearse } from './rehearsal.ts';
