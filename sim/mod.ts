/** The deterministic simulator: whole clusters in virtual time, from a seed. */
export type { Sabotage } from './cluster.ts';
export { type Outcome, simulate, type SimulationOptions } from './simulate.ts';
export { type Verdict, verify } from './verify.ts';
