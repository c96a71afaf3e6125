/** The words every part speaks. Imports nothing of ours. */
export * from './alerts.ts';
export * from './batch.ts';
export * from './batch-builder.ts';
export * from './byte-writer.ts';
export * from './dictionary-builder.ts';
export * from './errors.ts';
export * from './findings.ts';
export * from './frame.ts';
export * from './heartbeat.ts';
export * from './limits.ts';
export * from './marks.ts';
export * from './messages.ts';
export * from './partitioner.ts';
export * from './record.ts';
export * from './results.ts';
export * from './severity.ts';
export * from './subjects.ts';
