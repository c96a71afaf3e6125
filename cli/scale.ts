/** `logweir scale N`: another number of worker processes for a cluster that `logweir up` runs on this machine. */
import { LogweirError } from '#protocol/errors.ts';
import { readClusterFile } from './cluster-file.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { workersMax } from './config/mod.ts';
import { type ScaleReport, renderScale } from './scale-view.ts';
import { clientOptions, type Settings, settingsOf } from './settings.ts';

const timeoutSecondsDefault = 60;
const lookEveryMs = 200;

export const command: Command = {
  about: `Starts or drains worker processes until N of them run, waits until every partition has its place, and tells what moved.
Logs may flow meanwhile: a worker that leaves finishes what it read, keeps a checkpoint and hands over; nothing is lost.
Lasts until "logweir up" ends: cluster.workers says how many the next start brings. To add capacity on another machine, run
"logweir worker" there.`,
  usage: 'N',
  positionals: { min: 1, max: 1 },
  options: {
    ...clientOptions,
    timeout: {
      type: 'string',
      value: 'SECONDS',
      about: `how long to wait for the partitions to settle, default ${timeoutSecondsDefault}`,
    },
    json: jsonOption,
  },
  examples: ['logweir scale 4', 'logweir scale 1 --json'],
  async run(ctx) {
    const workers = wantedWorkers(ctx.args.positionals[0] as string);
    const timeoutSeconds = ctx.args.integer('timeout', { min: 1, max: 3_600 }) ?? timeoutSecondsDefault;
    const settings = settingsOf(ctx);
    const report = await scale(ctx, settings, supervised(settings), workers, timeoutSeconds);
    if (ctx.args.flag('json')) ctx.print(JSON.stringify(report));
    else await ctx.write(renderScale(report));
    return exitCodes.ok;
  },
};

/** @throws LogweirError USAGE */
function wantedWorkers(text: string): number {
  const workers = Number(text);
  if (/^\d+$/.test(text) && workers >= 1 && workers <= workersMax) return workers;
  throw new LogweirError(
    'USAGE',
    `The number of workers must be a whole number from 1 to ${workersMax}, not "${text}".`,
    workers === 0
      ? 'One worker at least keeps the analysis going; to stop the cluster, end "logweir up" with Ctrl-C.'
      : 'More workers run on other machines with "logweir worker".',
  );
}

/** @throws LogweirError CLUSTER_NOT_FOUND where no supervisor runs on this data directory. */
function supervised({ cluster, dataDir, isSet }: Settings): string {
  if (cluster?.control !== undefined) return cluster.control;
  if (isSet('servers.natsUrl') && cluster === undefined)
    throw new LogweirError(
      'CLUSTER_NOT_FOUND',
      'The workers of this cluster are not run by a "logweir up" on this machine, so they cannot be scaled from here.',
      'Start more with "logweir worker" on any machine; end one with SIGTERM, and it hands its partitions over.',
    );
  throw new LogweirError(
    'CLUSTER_NOT_FOUND',
    `No cluster runs on the data directory ${dataDir}.`,
    'Start one with "logweir up", or name its directory with --data-dir.',
  );
}

async function scale(
  ctx: CommandContext,
  settings: Settings,
  control: string,
  workers: number,
  timeoutSeconds: number,
): Promise<ScaleReport> {
  const [{ connectNats, readFacts }, { Membership, readAssignment }, protocol, { askSupervisor }, { Progress }] =
    await Promise.all([
      import('#bus/mod.ts'),
      import('#coordinator/mod.ts'),
      import('#protocol/mod.ts'),
      import('./supervisor/control.ts'),
      import('./progress.ts'),
    ]);
  const { buckets, keys, subjects } = protocol;
  const bus = await connectNats({ url: settings.urls.nats, name: 'logweir scale' });
  try {
    const store = await bus.keyValue(buckets.cluster);
    const facts = await readFacts(store);
    if (workers > facts.partitions)
      throw new LogweirError(
        'USAGE',
        `This cluster has ${facts.partitions} partitions: of ${workers} workers some would have nothing to do.`,
        `Scale to ${facts.partitions} at most.`,
      );
    const membership = new Membership();
    bus.listen(subjects.heartbeats, (data) => membership.hear(data, Date.now()));
    const owners = async () => {
      const entry = await store.get(keys.assignment);
      return entry === null ? null : readAssignment(entry.value);
    };
    const before = (await owners())?.owners ?? [];
    const startedMs = Date.now();
    const answer = await askSupervisor(control, { command: 'scale', workers });
    const progress = new Progress(ctx, 'settling', facts.partitions, 'partitions');
    for (;;) {
      const assignment = await owners();
      const seen = membership.alive('worker', Date.now());
      const alive = new Map(seen.map(({ beat }) => [beat.id, beat]));
      const settled =
        assignment?.owners.filter((owner, partition) =>
          alive.get(owner ?? '')?.partitions.some((load) => load.partition === partition),
        ).length ?? 0;
      const through =
        answer.started.every((id) => assignment?.owners.includes(id)) &&
        answer.draining.every((id) => !alive.has(id) && readClusterFile(settings.dataDir)?.processes[id] === undefined);
      progress.update(settled);
      if (assignment !== null && through && settled === facts.partitions && assignment.moves.length === 0) {
        progress.end();
        return {
          ...answer,
          partitions: facts.partitions,
          moved: assignment.owners.filter((owner, partition) => owner !== before[partition]).length,
          epoch: assignment.epoch,
          seconds: (Date.now() - startedMs) / 1_000,
          workers: seen.map(({ beat }) => ({
            id: beat.id,
            host: beat.host,
            pid: beat.pid,
            partitions: beat.partitions.length,
            recordsPerSecond: beat.recordsPerSecond,
          })),
        };
      }
      if (Date.now() - startedMs > timeoutSeconds * 1_000)
        throw new LogweirError(
          'TIMEOUT',
          `After ${timeoutSeconds} s only ${settled} of ${facts.partitions} partitions have their place.`,
          'The change goes on: "logweir status" shows how far it is, the logs directory what hinders it.',
        );
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  } finally {
    await bus.close();
  }
}
