/** The parsing pipeline: records in, records and outcomes out. The folder's one entry point. */
export { receiverNames } from './condition.ts';
export type { Table } from './enrich-step.ts';
export { Item, type Origin } from './item.ts';
export { compilePipeline, Pipeline, type PipelineParts, type StepCount, stepKinds } from './pipeline.ts';
export { wrong } from './reading.ts';
export type { Outcome } from './step.ts';
