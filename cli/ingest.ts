/** `logweir ingest`: files, globs, directories and standard input into the cluster. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { type DeadLetters, DeadLetterSink } from '#bus/mod.ts';
import { BatchPublisher, type FileCounts, follow, runJob } from '#ingest/mod.ts';
import { Gate } from '#ingest/pipeline/mod.ts';
import { LogweirError, liveLane } from '#protocol/mod.ts';
import { type Command, type CommandContext, exitCodes } from './command.ts';
import { pipelineOf } from './config/mod.ts';
import { failedOver, openLogFiles } from './log-files.ts';
import { Progress } from './progress.ts';
import { type ClusterSetup, joinCluster } from './roles/setup.ts';
import { waitUntilStored } from './roles/stored.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { takeLock } from './supervisor/data-dir.ts';

const mib = 1024 * 1024;
const pendingBytesMax = 64 * mib;
/** A backfill waits this long for a stream that is full or away. */
const giveUpAfterMs = 10 * 60_000;

export const command: Command = {
  about: `Reads log files of any common format and puts their records on the stream, each input analysed as if it had been live.
Takes files, globs, directories and - for standard input; .gz, .zst and .tar are unpacked. Formats are detected; a line
that no format fits is kept whole.

With --follow it goes on as files grow, are rotated (renamed, or copied and truncated), replaced, deleted, or appear for the
first time: a path, a pattern or a directory need not exist yet. How far each file was read is on disk once the stream has
it; after a restart, kill -9 included, every line comes at least once, and what had come already is dropped. Compressed
files are left alone. Quote patterns, so that the shell leaves them to Logweir.`,
  usage: 'FILE…',
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    service: {
      type: 'string',
      value: 'NAME',
      about: 'service of every record, default what the lines or file names say',
    },
    follow: { type: 'boolean', short: 'f', about: 'keep reading as the files grow, through rotations and restarts' },
    state: {
      type: 'string',
      value: 'FILE',
      about:
        'with --follow: keeps what was read; default follow.json in the data directory. Each process needs its own',
    },
    json: { type: 'boolean', about: 'print the result as one JSON object' },
    'no-wait': { type: 'boolean', about: 'do not wait until the rows can be queried' },
    ...clientOptions,
  },
  examples: [
    'logweir ingest /var/log/*.log',
    'zcat old.log.gz | logweir ingest --service shop -',
    'logweir ingest --follow /var/log/app/',
    'logweir ingest --follow /var/log/pods',
    "logweir ingest --follow '/srv/*/log/*.log' --state /var/lib/logweir/srv.json",
  ],
  longRunning: true,
  async run(ctx) {
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      const { bus, time, id, settings } = cluster;
      const dead = new DeadLetterSink(bus, time, `${id}.${randomBytes(4).toString('hex')}`);
      const gate = new Gate(await pipelineOf(settings, ctx.cwd), dead, time.now);
      const code = await (ctx.args.flag('follow') ? runFollow(ctx, cluster, gate, dead) : runFiles(ctx, cluster, gate));
      await dead.settle();
      return code;
    } finally {
      await cluster.bus.close();
    }
  },
};

function openPublisher(cluster: ClusterSetup, lane: string): BatchPublisher {
  const { bus, facts, time } = cluster;
  const publisherId = `${lane}.${process.pid}.${randomBytes(4).toString('hex')}`;
  return new BatchPublisher({
    bus,
    partitions: facts.partitions,
    lane,
    source: 'file',
    time,
    publisherId,
    pendingBytesMax,
    giveUpAfterMs,
  });
}

async function runFiles(ctx: CommandContext, cluster: ClusterSetup, gate: Gate): Promise<number> {
  const { files, problems, onBytes, onProblem, end } = await openLogFiles(ctx, ctx.args.positionals);
  if (files.length === 0) return exitCodes.failed;
  const { time } = cluster;
  const startedMs = time.now();
  const lane = `ingest-${new Date(startedMs).toISOString().replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`;
  const counts = await runJob({
    files,
    publisher: openPublisher(cluster, lane),
    lane,
    service: ctx.args.string('service'),
    time,
    signal: ctx.signal,
    gate,
    onBytes,
    onProblem,
  });
  end();
  let stored: number | null = null;
  const sent = counts.records - counts.dropped - counts.dead;
  if (!ctx.args.flag('no-wait'))
    stored = await waitUntilStored(cluster.settings.urls.clickhouse, lane, sent, ctx.signal);
  const seconds = (time.now() - startedMs) / 1_000;
  if (ctx.args.flag('json')) {
    const failed = problems.map(({ code, message, remedy }) => ({ code, message, remedy }));
    ctx.print(JSON.stringify({ lane, files: files.length, ...counts, stored, seconds, problems: failed }));
  } else {
    for (const line of summary(counts, files.length, seconds)) ctx.print(line);
    if (stored !== null && stored < sent)
      ctx.note(`${stored} of ${sent} records can be queried so far; the rest is on the stream and follows.`);
  }
  return failedOver(problems, counts.lines) ? exitCodes.failed : exitCodes.ok;
}

function summary(counts: FileCounts, files: number, seconds: number): string[] {
  const number = (value: number): string => value.toLocaleString('en-US');
  const lines = [
    `${number(counts.lines)} lines from ${number(files)} ${files === 1 ? 'file' : 'files'} in ${seconds.toFixed(1)} s:`,
    `  ${number(counts.records)} records, of which ${number(counts.unparsed)} kept whole because no format fits`,
    `  ${number(counts.folded)} lines folded into multi-line records, ${number(counts.blank)} blank, ${number(counts.rejected)} rejected`,
  ];
  if (counts.dropped + counts.dead > 0)
    lines.push(
      `  the pipeline dropped ${number(counts.dropped)} of them and set ${number(counts.dead)} aside as dead letters`,
    );
  const formats = Object.entries(counts.byFormat).sort((a, b) => b[1] - a[1]);
  if (formats.length > 0)
    lines.push(`  formats: ${formats.map(([name, count]) => `${name} ${number(count)}`).join(', ')}`);
  for (const { file, line, reason } of counts.rejections) lines.push(`  rejected: ${file}:${line}: ${reason}`);
  for (const { name, reason } of counts.skipped) lines.push(`  left out: ${name}: ${reason}`);
  return lines;
}

async function runFollow(ctx: CommandContext, cluster: ClusterSetup, gate: Gate, dead: DeadLetters): Promise<number> {
  if (ctx.args.positionals.includes('-'))
    throw new LogweirError('USAGE', 'Standard input cannot be followed.', 'Leave --follow out: - is read as it comes.');
  const stateFile = resolve(ctx.args.string('state') ?? join(cluster.dataDir, 'follow.json'));
  const unlock = lockState(stateFile);
  try {
    return await followFiles(ctx, cluster, stateFile, gate, dead);
  } finally {
    unlock();
  }
}

/** Two processes that follow by one file of positions would each forget what the other read. */
function lockState(stateFile: string): () => void {
  try {
    mkdirSync(dirname(stateFile), { recursive: true });
    return takeLock(
      `${stateFile}.lock`,
      (pid) =>
        new LogweirError(
          'DATA_DIR_IN_USE',
          `Process ${pid} follows files already and keeps what it read in ${stateFile}.`,
          'Give this one its own with --state FILE, or name all files to one process.',
        ),
    );
  } catch (cause) {
    if (cause instanceof LogweirError) throw cause;
    throw new LogweirError(
      'DATA_DIR_UNUSABLE',
      `${stateFile} cannot be written (${(cause as NodeJS.ErrnoException).code}).`,
      'Name another place with --state FILE, or change its rights.',
      { cause },
    );
  }
}

async function followFiles(
  ctx: CommandContext,
  cluster: ClusterSetup,
  stateFile: string,
  gate: Gate,
  dead: DeadLetters,
): Promise<number> {
  let records = 0;
  const progress = new Progress(ctx, 'following', undefined, 'records');
  await follow({
    paths: ctx.args.positionals,
    stateFile,
    publisher: openPublisher(cluster, liveLane),
    service: ctx.args.string('service'),
    time: cluster.time,
    signal: ctx.signal,
    gate,
    dead,
    onProblem: (path, error) =>
      ctx.note(error instanceof LogweirError ? `${error.message} It is tried again.` : `${path}: ${error.message}`),
    onWaiting: (path) => ctx.note(`${path}: nothing is there yet; it is waited for.`),
    onMended: (path) => ctx.note(`${path} can be read now.`),
    onRecords: (count) => {
      records += count;
      progress.update(records);
    },
  });
  progress.end();
  ctx.print(`${records.toLocaleString('en-US')} records read; where each file was left is kept in ${stateFile}.`);
  return exitCodes.ok;
}
