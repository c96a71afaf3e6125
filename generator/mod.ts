/** Seeded, realistic log traffic with incidents: for the demo, tests and load tests. */
export { type Incident, incidentRound } from './incidents.ts';
export { Random } from './random.ts';
export { toNdjson, Traffic, type TrafficOptions } from './traffic.ts';
