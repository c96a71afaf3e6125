/** The pipeline as receivers and commands use it: made from a configuration, acted on, and shown. */
export { emptyCounts, type FileCounts } from '../file-source.ts';
export { Gate } from './gate.ts';
export { openPipeline } from './open.ts';
export { type Previewed, previewFiles } from './preview.ts';
