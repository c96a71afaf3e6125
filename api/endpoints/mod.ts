/** Every endpoint that answers JSON under /api/v1: one table, read by the server and by the OpenAPI document. */
import { anomalies, anomaly } from './anomalies.ts';
import { alerts, cluster, model } from './cluster.ts';
import { deadLetter, deadLetters } from './dead-letters.ts';
import type { Endpoint } from './endpoint.ts';
import { incident, incidents } from './incidents.ts';
import { logs, templates } from './logs.ts';
import { errors, overview, services, trend } from './overview.ts';

export type { Context, Endpoint } from './endpoint.ts';

export const endpoints: readonly Endpoint[] = [
  overview,
  trend,
  services,
  errors,
  anomalies,
  anomaly,
  logs,
  templates,
  alerts,
  incidents,
  incident,
  cluster,
  model,
  deadLetters,
  deadLetter,
];
