/** Workers: the partition as a pure function, and the process that runs partitions. */
export { type CheckpointEntry, type CheckpointPointer, readPointer } from './checkpoints.ts';
export { emptyFold, type FoldResult, PartitionFold, templateKey, windowKey } from './fold.ts';
export { ModelShelf } from './models.ts';
export { Partition, type PartitionOutput } from './partition.ts';
export { type OnFound, PastPartition, type PastSettings, RecordFold } from './past.ts';
export { judge, trainAndJudge, type TrainingInput, type TrainingResult } from './training.ts';
export { Worker, type WorkerOptions } from './worker.ts';
