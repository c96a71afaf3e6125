/** Files, patterns, directories and standard input as lines; and files that grow, followed through their rotations. */
export { containerAt } from './container.ts';
export { decompress } from './decompress.ts';
export { type InputFile, type ResolvedInputs, resolveInputs } from './inputs.ts';
export { type Line, LineSplitter, OverlongLine } from './line-splitter.ts';
export { type ReadOptions, readLines, readSources, type SourceBatch } from './read-lines.ts';
export { FileTailer, type FileTailerOptions, type TailBatch, type TailSource } from './tailer.ts';
