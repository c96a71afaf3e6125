/** The coordinator: election, membership, assignment, ticks, control messages, retention. */
export { Coordinator, type CoordinatorOptions } from './coordinator.ts';
export { Membership, type Seen } from './membership.ts';
export { type ClusterView, viewCluster } from './status.ts';
