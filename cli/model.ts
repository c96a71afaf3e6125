/** `logweir model`: trains, compares, lists and rolls back the models that classify. */
import { hostname, userInfo } from 'node:os';
import { LogweirError } from '#protocol/errors.ts';
import type { Models, ModelScores } from '#protocol/mod.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import type { Slices } from './model-training.ts';
import type { ClusterSetup } from './roles/setup.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { rangeOf, rangeOptions } from './time-range.ts';

const shareDefault = 80;

export const command: Command = {
  about: `Models that tell severity and category of logs, by version; 0 is the built-in one.
  train         trains a challenger on stored logs whose senders gave a severity, and on people's corrections; scores it and
                the model that serves on a later time slice; publishes it if it is better (exit 3: it is not)
  list          versions with their scores, and which serves
  show V        one version: when, by whom, on what, its scores and confusions
  compare A B   scores two versions on the same records
  rollback [V]  lets version V serve again, by default the one before
Partitions change over at one message of their stream, so that a replay gives the same answers.`,
  usage: 'train | list | show V | compare A B | rollback [V]',
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
  show: { usage: 'show V', min: 1, max: 1, run: show },
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

async function slicesOf(ctx: CommandContext, cluster: ClusterSetup): Promise<Slices> {
  const [{ readSlices }, { Queries }, { readCorrections }] = await Promise.all([
    import('./model-training.ts'),
    import('#storage/mod.ts'),
    import('#coordinator/mod.ts'),
  ]);
  const percent = ctx.args.integer('split', { min: 10, max: 95 }) ?? shareDefault;
  const corrections = await readCorrections(cluster.store);
  const wanted = { ...rangeOf(ctx, Date.now()), share: percent / 100 };
  return readSlices(Queries.overUrl(cluster.settings.urls.clickhouse), wanted, corrections);
}

async function modelAt({ bus }: ClusterSetup, models: Models, version: number) {
  const [{ baseModel, decodeModel }, { modelBytes }, { modelVersion }] = await Promise.all([
    import('#analysis/classification/mod.ts'),
    import('#coordinator/mod.ts'),
    import('#protocol/models.ts'),
  ]);
  const found = modelVersion(models, version);
  return found === null ? baseModel : decodeModel(await modelBytes(bus, found));
}

async function train(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const [{ encodeModel, isBetter, scoreModel, trainChallenger }, coordinator, { comparison, confusion }] =
    await Promise.all([
      import('#analysis/classification/mod.ts'),
      import('#coordinator/mod.ts'),
      import('./model-view.ts'),
    ]);
  const { bus, store } = cluster;
  const models = await coordinator.readModels(store);
  const { items: corrections } = await coordinator.readCorrections(store);
  const slices = await slicesOf(ctx, cluster);
  const champion = await modelAt(cluster, models, models.serving);
  const model = trainChallenger(slices.early, corrections);
  const scores = scoreModel(model, slices.late);
  const championScores = scoreModel(champion, slices.late);
  const better = isBetter(scores, championScores);
  const forced = !better && ctx.args.flag('force');
  const published =
    ctx.args.flag('dry-run') || !(better || forced)
      ? null
      : await coordinator.publishModel(bus, store, encodeModel(model), {
          atMs: Date.now(),
          by: whoami(),
          trainedTemplates: slices.early.length,
          corrections: corrections.length,
          trained: slices.trained,
          scored: slices.scored,
          scores,
          champion: { version: models.serving, scores: championScores },
          forced,
        });
  const unseen = { challenger: scoreModel(model, slices.unseen), champion: scoreModel(champion, slices.unseen) };
  if (ctx.args.flag('json')) {
    const { trained, scored } = slices;
    ctx.print(
      JSON.stringify({
        better,
        published: published?.version ?? null,
        hash: published?.hash ?? null,
        trained: { ...trained, templates: slices.early.length, corrections: corrections.length },
        scored,
        challenger: { scores, unseen: unseen.challenger },
        champion: { version: models.serving, scores: championScores, unseen: unseen.champion },
      }),
    );
  } else {
    const rows: [string, ModelScores][] = [
      [`model ${models.serving}, which serves`, championScores],
      ['challenger', scores],
    ];
    if (slices.unseen.length > 0)
      rows.push(
        [`model ${models.serving}, new templates only`, unseen.champion],
        ['challenger, new templates only', unseen.challenger],
      );
    const verdict =
      published !== null
        ? `Published as model ${published.version}${forced ? ', though it is not better' : ''}; partitions change over within seconds.`
        : better
          ? 'It is better; nothing was published (--dry-run).'
          : 'It is not better, and was not published; --force publishes it all the same.';
    const text = [
      `Trained on ${slices.early.length} templates and ${corrections.length} corrections; severity on the later slice:`,
      ...comparison(rows),
      '',
      'The challenger, in records:',
      ...confusion(scores),
      '',
      verdict,
    ];
    await ctx.write(`${text.join('\n')}\n`);
  }
  return better || published !== null ? exitCodes.ok : exitCodes.nothing;
}

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

async function show(ctx: CommandContext, { store }: ClusterSetup, [version = 0]: number[]): Promise<number> {
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
  const [{ scoreModel }, { readModels }, { comparison, confusion }] = await Promise.all([
    import('#analysis/classification/mod.ts'),
    import('#coordinator/mod.ts'),
    import('./model-view.ts'),
  ]);
  const models = await readModels(cluster.store);
  const both = [await modelAt(cluster, models, a), await modelAt(cluster, models, b)] as const;
  const slices = await slicesOf(ctx, cluster);
  const [one, two] = [scoreModel(both[0], slices.late), scoreModel(both[1], slices.late)];
  if (ctx.args.flag('json')) {
    const scored = [
      { version: a, scores: one },
      { version: b, scores: two },
    ];
    ctx.print(JSON.stringify({ scored: slices.scored, models: scored }));
    return exitCodes.ok;
  }
  const rows: [string, ModelScores][] = [
    [`model ${a}`, one],
    [`model ${b}`, two],
  ];
  await ctx.write(
    `${[...comparison(rows), '', `Model ${a}:`, ...confusion(one), '', `Model ${b}:`, ...confusion(two)].join('\n')}\n`,
  );
  return exitCodes.ok;
}

async function rollBackTo(ctx: CommandContext, cluster: ClusterSetup, [version]: number[]): Promise<number> {
  const { rollBack } = await import('#coordinator/mod.ts');
  const { serving, change } = await rollBack(cluster.bus, cluster.store, version);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ serving, change }));
  else ctx.print(`Model ${serving} serves again; partitions change over within seconds.`);
  return exitCodes.ok;
}
