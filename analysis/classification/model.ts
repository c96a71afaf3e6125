import type { TaskModel } from './task-model.ts';

/** Everything a classifier starts from. Immutable and shared by all classifiers of a process. */
export interface Model {
  readonly severity: TaskModel;
  readonly category: TaskModel;
  /** Tasks whose opinions are features of the two above; empty for a model that stands alone. */
  readonly guide: readonly TaskModel[];
}
