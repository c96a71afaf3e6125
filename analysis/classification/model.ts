import type { Guide, TaskModel } from './task-model.ts';

/** Everything a classifier starts from. Immutable and shared by all classifiers of a process. */
export interface Model {
  readonly severity: TaskModel;
  readonly category: TaskModel;
  /** Tasks whose opinions are features of the two above; undefined for a model that stands alone. */
  readonly guide: Guide | undefined;
}
