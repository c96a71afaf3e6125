/** The coordinator: election, membership, assignment, ticks, control messages, retention. */
export { type Assignment, type Member, type Move, plan, type PlanInput } from './assignment.ts';
export { foldPast, type PastFinding, type PastFindings } from './jobs/past.ts';
export {
  readTrainingHistory,
  runTraining,
  type TrainingOutcome,
} from './jobs/training.ts';
export type { TrainingOptions } from './jobs/training-desk.ts';
export { Coordinator, type CoordinatorOptions } from './coordinator.ts';
export { readAnalysisConfig } from './leader.ts';
export {
  correct,
  correctAll,
  historyOf,
  modelBytes,
  type NewCorrection,
  publishModel,
  readCorrections,
  readModels,
  readTraining,
  requestTraining,
  rollBack,
  uncorrect,
  undoCorrection,
} from './model-store.ts';
export { Membership, type Seen } from './membership.ts';
export { readAssignment, type StoredAssignment } from './placement.ts';
export { type ClusterView, viewCluster } from './status.ts';
