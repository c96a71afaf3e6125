/** The load test's command line. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LogweirError } from '#protocol/mod.ts';
import { type UnitKind, unitKinds } from './faults/fleet.ts';

/** Each with a cluster of its own to which something bad happens. */
export const faultScenarios = [
  'faults',
  'recreated-stream',
  'truncated-stream',
  'full-results',
  'poison',
  'twenty-years',
  'torn-inserts',
] as const;
export type FaultScenario = (typeof faultScenarios)[number];
export const scenarios = ['throughput', 'latency', 'scale-out', 'overload', ...faultScenarios] as const;
export type Scenario = (typeof scenarios)[number];

export interface Arguments {
  scenario: Scenario;
  json: boolean;
  /** Of load, without start and end. */
  seconds: number;
  /** Worker processes; for scale-out the most. */
  workers: number;
  /** Requests unacknowledged at once. */
  connections: number;
  /** Records per second of the latency and fault scenarios. */
  rate: number;
  /** Of the fault scenarios: what is random follows from it. */
  seed: number;
  faults: number;
  /** In which the faults come. */
  minutes: number;
  /** Kinds of processes that are hit; empty for all. */
  only: UnitKind[];
  /** Throughput: all records come from one service. */
  oneService: boolean;
  profileDir: string | undefined;
}

export const help = `Usage: npm run loadtest -- SCENARIO [options]

Starts a cluster of its own on free ports, puts load on it, and ends and removes it.

  throughput   as many logs per second as the machine takes, from the first POST to the last queryable row
  latency      a fixed rate, and events that raise an alert each: how long from event to webhook
  scale-out    throughput with 1, 2, 3 … workers, each on a fresh cluster
  overload     ten times what can be taken, from one noisy source beside quiet neighbours: losses, memory, fairness
  faults       steady load while processes are killed and frozen at random; then every record, window, template,
               anomaly and alert is checked

Faults of streams and messages, each with the same checks afterwards:
  recreated-stream   LOGS thrown away while nats-server is down
  truncated-stream   LOGS restored from an older copy: its tail is lost
  full-results       storage stopped until RESULTS takes no more
  poison             messages that are none, and real ones with bytes turned
  twenty-years       requests whose records lie a day apart over twenty years
  torn-inserts       kill -9 of storage between a table and its views

  --seconds N       of load; default 20, latency 30, scale-out 10 for each cluster, overload 180
  --workers N       worker processes, default 1, faults 3; scale-out: the most, default 3
  --rate N          latency and faults: logs per second, default 20000; faults holds back where the machine is too slow
  --faults N        faults: how many, default 50
  --minutes M       faults: within which they come, default 10
  --only KIND,…     faults: hit these alone: worker, coordinator, gateway, storage, alerting, redis, nats
  --seed S          faults: what is random follows from it, default 1
  --connections N   requests unacknowledged at once, default 64
  --one-service     throughput: all records come from one service, as large as a hot one can be
  --profile DIR     CPU profiles of every role
  --json            print one JSON object on stdout and nothing else there

Ends with 1 when anything was lost or stored twice, or an alert did not come; after faults, when any check is broken. The
data directory is then kept and named.
`;

const secondsDefault: Partial<Record<Scenario, number>> = { latency: 30, 'scale-out': 10, overload: 180 };
const workersDefault: Partial<Record<Scenario, number>> = { throughput: 1, latency: 1, overload: 1 };

/** Null asks for help. @throws LogweirError USAGE */
export function parseArguments(argv: readonly string[], cwd: string): Arguments | null {
  const { values, positionals } = parse(argv);
  if (values.help === true) return null;
  const [name, ...more] = positionals;
  const scenario = scenarios.find((one) => one === name);
  if (scenario === undefined || more.length > 0) {
    const said = name === undefined ? 'No scenario was named' : `There is no scenario "${more[0] ?? name}"`;
    throw usage(`${said}; there are ${scenarios.join(', ')}.`);
  }
  return {
    scenario,
    json: values.json === true,
    seconds: whole(values.seconds, '--seconds', secondsDefault[scenario] ?? 20, 1, 3_600),
    workers: whole(values.workers, '--workers', workersDefault[scenario] ?? 3, 1, 64),
    connections: whole(values.connections, '--connections', 64, 1, 1_024),
    rate: whole(values.rate, '--rate', 20_000, 100, 10_000_000),
    seed: whole(values.seed, '--seed', 1, 0, 4_294_967_295),
    faults: whole(values.faults, '--faults', 50, 1, 10_000),
    minutes: positive(values.minutes, '--minutes', 10, 10_000),
    only: kinds(values.only),
    oneService: values['one-service'] === true,
    profileDir: values.profile === undefined ? undefined : resolve(cwd, values.profile),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    seconds: text,
    workers: text,
    connections: text,
    rate: text,
    seed: text,
    faults: text,
    minutes: text,
    only: text,
    'one-service': flag,
    profile: text,
    json: flag,
    help: { ...flag, short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw usage(`${(error as Error).message.split('. ')[0] ?? ''}.`);
  }
}

function whole(given: string | undefined, option: string, fallback: number, min: number, max: number): number {
  if (given === undefined) return fallback;
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usage(`${option} must be a whole number from ${min} to ${max}, not "${given}".`);
}

function kinds(given: string | undefined): UnitKind[] {
  const names = given === undefined ? [] : given.split(',');
  return names.map((name) => {
    const kind = unitKinds.find((one) => one === name);
    if (kind !== undefined) return kind;
    throw usage(`--only takes ${unitKinds.join(', ')}, not "${name}".`);
  });
}

function positive(given: string | undefined, option: string, fallback: number, max: number): number {
  const value = given === undefined ? fallback : /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  if (value > 0 && value <= max) return value;
  throw usage(`${option} must be a number over 0 and up to ${max}, not "${given}".`);
}

const usage = (message: string): LogweirError =>
  new LogweirError('USAGE', message, 'Run "npm run loadtest -- --help" to see what it takes.');
