/** Seeded, realistic log traffic with incidents: for the demo, tests and load tests. */
export { cascade, type Incident, incidentRound } from './incidents.ts';
export { type Fault, type FaultKind, faultKinds, findingOf } from './faults.ts';
export type { Phrase, ServiceTexts } from './phrases.ts';
export { Random } from './random.ts';
export { type Arrival, Scenario, type ScenarioOptions } from './scenario.ts';
export { toNdjson, Traffic, type TrafficOptions } from './traffic.ts';
