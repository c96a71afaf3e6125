/**
 * How a large cluster fares, by simulation: `node sim/scale/main.ts --help`. Traffic by the real partitioner, placement
 * by the real assignment function; the stages' speeds are given, measured ones by default (BENCHMARKS.md).
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { loadStages, type StageLimits, type StageLoad } from './stages.ts';
import { spreadServices } from './traffic.ts';
import { runWorkers } from './workers.ts';

const defaults = {
  rate: 10_000_000,
  services: 100_000,
  exponent: 0.6,
  partitions: 1_024,
  workers: 60,
  'worker-speed': 400_000,
  gateways: 100,
  'linger-ms': 500,
  slices: 64,
  writers: 64,
  'logs-bytes': 60,
  'results-bytes': 60,
  'stream-mb': 120,
  'stream-messages': 40_000,
  'writer-speed': 300_000,
  'kill-percent': 10,
  join: 6,
  seconds: 180,
  seed: 1,
} as const;

/** Measured: over all processes a message costs what so many records cost. */
const messageCostRecords = 40;

type Name = keyof typeof defaults;

const explained: Record<Name, string> = {
  rate: 'records per second offered',
  services: 'services; their rates follow a power law',
  exponent: 'its exponent: 0 is even, 1 steep',
  partitions: 'partitions of the cluster',
  workers: 'worker processes',
  'worker-speed': 'records per second of one worker process',
  gateways: 'gateway processes',
  'linger-ms': 'how long a batch gathers at a gateway',
  slices: 'pairs of LOGS and RESULTS streams, each a Raft group',
  writers: 'storage writers, each with a ClickHouse shard',
  'logs-bytes': 'bytes of a record in LOGS',
  'results-bytes': 'bytes of a record in RESULTS',
  'stream-mb': 'MB per second that one stream takes, replicated',
  'stream-messages': 'messages per second that one stream takes',
  'writer-speed': 'rows per second of one writer',
  'kill-percent': 'share of the workers killed at one third of the run',
  join: 'workers that join at two thirds of the run',
  seconds: 'simulated seconds',
  seed: 'seed of swings and victims',
};

const names = Object.keys(defaults) as Name[];
const { values } = parseArgs({
  options: {
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

if (values['help'] === true) {
  console.log('Simulates a large cluster: load of each stage, healing after a mass death, joining.\n');
  for (const name of names) console.log(`  --${name.padEnd(16)} ${explained[name]} (${defaults[name]})`);
  console.log('  --json             one JSON object');
} else {
  run();
}

function run(): void {
  const value = (name: Name): number => {
    const text = (values as Record<string, string | boolean | undefined>)[name];
    if (text === undefined) return defaults[name];
    const number = Number(text);
    if (!Number.isFinite(number) || number < 0) {
      console.error(`--${name} must be a number of at least 0, not '${String(text)}'.`);
      process.exit(2);
    }
    return number;
  };
  const seconds = value('seconds');
  if (value('writers') > value('slices')) {
    console.error('A writer reads whole slices: --writers must be at most --slices.');
    process.exit(2);
  }
  const traffic = spreadServices({
    services: value('services'),
    exponent: value('exponent'),
    recordsPerSecond: value('rate'),
    partitions: value('partitions'),
  });
  const limits: StageLimits = {
    logsBytes: value('logs-bytes'),
    resultsBytes: value('results-bytes'),
    streamBytesPerSecond: value('stream-mb') * 1e6,
    streamMessagesPerSecond: value('stream-messages'),
    writerRowsPerSecond: value('writer-speed'),
    batchRecordsMax: 4_096,
  };
  const stages = loadStages(
    traffic.byPartition,
    {
      gateways: value('gateways'),
      lingerSeconds: value('linger-ms') / 1_000,
      slices: value('slices'),
      writers: value('writers'),
    },
    limits,
  );
  const workers = runWorkers(
    traffic.byPartition,
    {
      workers: value('workers'),
      workerRecordsPerSecond: value('worker-speed'),
      killShare: value('kill-percent') / 100,
      killAtSeconds: seconds / 3,
      joining: value('join'),
      joinAtSeconds: (2 * seconds) / 3,
      seconds,
      deadAfterSeconds: 2,
      restoreSeconds: 1,
      checkpointSeconds: 5,
      drainSeconds: 0.5,
      swing: 0.3,
      seed: value('seed'),
    },
    () => performance.now(),
  );
  if (values['json'] === true) {
    console.log(JSON.stringify({ busiestService: traffic.busiestService, stages, workers }));
    return;
  }
  const share = ({ busiest, mean }: StageLoad): string =>
    `busiest ${percent(busiest)}, mean ${percent(mean)}${busiest > 1 ? '   over its limit' : ''}`;
  const rows: [string, string][] = [
    ['busiest service', `${whole(traffic.busiestService)} records/s (one worker: ${whole(value('worker-speed'))})`],
    ['gateway batches', `${stages.recordsPerMessage.toFixed(0)} records each, ${whole(stages.messagesPerSecond)}/s`],
    [
      '',
      `CPU over all stages: ${(1 + messageCostRecords / stages.recordsPerMessage).toFixed(1)} times that of full batches`,
    ],
    ['stream messages', share(stages.messages)],
    ['LOGS bytes', share(stages.logsStreams)],
    ['RESULTS bytes', share(stages.resultsStreams)],
    ['writers', share(stages.writers)],
    ['workers', `mean ${percent(workers.utilisation)}, busiest ${workers.imbalance.toFixed(2)} times the mean`],
    ['', workers.tooHeavy === 0 ? '' : `${workers.tooHeavy} partitions are heavier than a worker`],
    ['killed workers', `${workers.orphaned} partitions orphaned, ${workers.movedByKill} moved`],
    ['', `run again after ${seconds1(workers.healedSeconds)}, caught up after ${seconds1(workers.caughtUpSeconds)}`],
    ['', `most behind: ${seconds1(workers.worstLagSeconds)}`],
    ['joined workers', `${workers.movedByJoin} partitions moved, an even share is ${workers.joinShare}`],
    ['one planning', `at most ${workers.planMsMax.toFixed(1)} ms here`],
  ];
  for (const [name, text] of rows) if (text !== '') console.log(`${name.padEnd(16)} ${text}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

function seconds1(number: number): string {
  return number < 0 ? 'longer than the run' : `${number.toFixed(1)} s`;
}
