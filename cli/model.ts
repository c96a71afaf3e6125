/** `logweir model`: trains, compares, lists and rolls back the models that classify. */
import { hostname, userInfo } from 'node:os';
import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import type { ClusterSetup } from './roles/setup.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { rangeOf, rangeOptions } from './time-range.ts';

const shareDefault = 80;

export const command: Command = {
  about: `Models that tell severity and category of logs, by version; 0 is the built-in one.
  train         trains a challenger on stored logs whose senders gave a severity, and on people's corrections; scores it and
                the model that serves on a later time slice: severities by what senders gave, categories by what people
                said; publishes it if it is better (exit 3: it is not). The leader does the same once a day and where
                services drift (configuration "training")
  list          versions with their scores, and which serves
  show          how the model that serves does at this moment, in all workers: accuracy where the truth is known, what is
                taken for what, confidence, learners, drift, time
  show V        one version: when, by whom, on what, its scores and confusions
  compare A B   scores two versions on the same records
  rollback [V]  lets version V serve again, by default the one before
Partitions change over at one message of their stream, so that a replay gives the same answers.`,
  usage: 'train | list | show [V] | compare A B | rollback [V]',
  positionals: { min: 1, max: 3 },
  options: {
    ...clientOptions,
    ...rangeOptions,
    split: {
      type: 'string',
      value: 'PERCENT',
      about: `share of the records, by time, that comes before the slice for scores, default ${shareDefault}`,
    },
    force: { type: 'boolean', about: 'publish the challenger even if it is not better' },
    'dry-run': { type: 'boolean', about: 'train and score, but publish nothing' },
    json: jsonOption,
  },
  examples: ['logweir model train --from 7d', 'logweir model compare 0 3', 'logweir model rollback'],
  async run(ctx) {
    const [action = '', ...rest] = ctx.args.positionals;
    const arity = actions[action];
    if (arity === undefined)
      throw new LogweirError(
        'USAGE',
        `"logweir model" does not know "${action}".`,
        `Use one of ${Object.keys(actions).join(', ')}.`,
      );
    if (rest.length < arity.min || rest.length > arity.max)
      throw new LogweirError('USAGE', `It is "logweir model ${arity.usage}".`, 'See "logweir model --help".');
    const versions = rest.map(versionOf);
    const { joinCluster } = await import('./roles/setup.ts');
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      return await arity.run(ctx, cluster, versions);
    } finally {
      await cluster.bus.close();
    }
  },
};

interface Action {
  usage: string;
  min: number;
  max: number;
  run: (ctx: CommandContext, cluster: ClusterSetup, versions: number[]) => Promise<number>;
}

const actions: Readonly<Record<string, Action>> = {
  train: { usage: 'train', min: 0, max: 0, run: train },
  list: { usage: 'list', min: 0, max: 0, run: list },
  show: { usage: 'show [V]', min: 0, max: 1, run: show },
  compare: { usage: 'compare A B', min: 2, max: 2, run: compare },
  rollback: { usage: 'rollback [V]', min: 0, max: 1, run: rollBackTo },
};

function versionOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new LogweirError(
    'USAGE',
    `"${text}" is no version of a model.`,
    'Versions are numbers; see "logweir model list".',
  );
}

/** For lists of who did what; not a proof. */
export function whoami(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}

async function train(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const [{ runTraining }, { Queries }, { trainAndJudge }, { renderTraining }] = await Promise.all([
    import('#coordinator/mod.ts'),
    import('#storage/mod.ts'),
    import('#workers/mod.ts'),
    import('./model-view.ts'),
  ]);
  const { bus, store, settings } = cluster;
  const queries = Queries.overUrl(settings.urls.clickhouse);
  const nowMs = Date.now();
  const outcome = await runTraining(
    { bus, store, queries, train: trainAndJudge },
    {
      ...rangeOf(ctx, nowMs),
      share: shareOf(ctx),
      force: ctx.args.flag('force'),
      dryRun: ctx.args.flag('dry-run'),
      by: whoami(),
      atMs: nowMs,
    },
  );
  const { better, kept, published, trained, scored, trainedTemplates, corrections, challenger, champion, against } =
    outcome;
  if (ctx.args.flag('json'))
    ctx.print(
      JSON.stringify({
        better,
        kept,
        published: published?.version ?? null,
        hash: published?.hash ?? null,
        trained: { ...trained, templates: trainedTemplates, corrections },
        scored,
        challenger,
        champion: { version: against, ...champion },
      }),
    );
  else await ctx.write(renderTraining(outcome, ctx.args.flag('dry-run')));
  return better || published !== null ? exitCodes.ok : exitCodes.nothing;
}

const shareOf = (ctx: CommandContext): number =>
  (ctx.args.integer('split', { min: 10, max: 95 }) ?? shareDefault) / 100;

async function list(ctx: CommandContext, { store }: ClusterSetup): Promise<number> {
  const [{ readModels }, { renderModels }] = await Promise.all([
    import('#coordinator/mod.ts'),
    import('./model-view.ts'),
  ]);
  const models = await readModels(store);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify(models));
  else await ctx.write(renderModels(models));
  return exitCodes.ok;
}

async function show(ctx: CommandContext, cluster: ClusterSetup, [version]: number[]): Promise<number> {
  if (version === undefined) return await (await import('./model-live.ts')).showLive(ctx, cluster);
  const { store } = cluster;
  const [{ readModels }, { renderModel }, { modelVersion }] = await Promise.all([
    import('#coordinator/mod.ts'),
    import('./model-view.ts'),
    import('#protocol/models.ts'),
  ]);
  const models = await readModels(store);
  const model = modelVersion(models, version);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify(model ?? { version: 0, builtIn: true }));
  else if (model === null)
    ctx.print(
      `Model 0 is the built-in one${models.serving === 0 ? ', and serves' : ''}; it was trained on our own material.`,
    );
  else await ctx.write(renderModel(models, model));
  return exitCodes.ok;
}

async function compare(ctx: CommandContext, cluster: ClusterSetup, [a = 0, b = 0]: number[]): Promise<number> {
  const [coordinator, { modelVersion }, { Queries }, { judge }, { comparison, confusion, taskRows }] =
    await Promise.all([
      import('#coordinator/mod.ts'),
      import('#protocol/models.ts'),
      import('#storage/mod.ts'),
      import('#workers/mod.ts'),
      import('./model-view.ts'),
    ]);
  const { bus, store, settings } = cluster;
  const models = await coordinator.readModels(store);
  const bytes = await Promise.all(
    [a, b].map(async (version) => {
      const found = modelVersion(models, version);
      return found === null ? null : coordinator.modelBytes(bus, found);
    }),
  );
  const queries = Queries.overUrl(settings.urls.clickhouse);
  const wanted = { ...rangeOf(ctx, Date.now()), share: shareOf(ctx) };
  const history = await coordinator.readTrainingHistory(queries, wanted);
  const { items } = await coordinator.readCorrections(store);
  const scores = judge(bytes, history.templates, items);
  const both = [a, b].map((version, at) => ({ version, ...(scores[at] as (typeof scores)[number]) }));
  if (ctx.args.flag('json')) {
    ctx.print(JSON.stringify({ scored: { fromMs: history.splitMs, toMs: history.range.toMs }, models: both }));
    return exitCodes.ok;
  }
  const rows = both.flatMap(({ version, ...tasks }) => taskRows(`model ${version}`, tasks));
  const confusions = both.flatMap(({ version, severity }) => [
    '',
    `Model ${version}, severity:`,
    ...confusion(severity),
  ]);
  await ctx.write(`${[...comparison(rows), ...confusions].join('\n')}\n`);
  return exitCodes.ok;
}

async function rollBackTo(ctx: CommandContext, cluster: ClusterSetup, [version]: number[]): Promise<number> {
  const { rollBack } = await import('#coordinator/mod.ts');
  const { serving, change } = await rollBack(cluster.bus, cluster.store, version);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ serving, change }));
  else ctx.print(`Model ${serving} serves again; partitions change over within seconds.`);
  return exitCodes.ok;
}
