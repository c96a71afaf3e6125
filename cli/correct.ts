/** `logweir correct`: what a person says of a message beats the classifier. */
import { LogweirError } from '#protocol/errors.ts';
import type { Correction } from '#protocol/mod.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { whoami } from './model.ts';
import type { ClusterSetup } from './roles/setup.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { table } from './table.ts';

export const command: Command = {
  about: `Corrects severity, category or both of a template or message. It holds from one message of the stream on, for the
template and its like, over what the classifier says (what a sender says stays as sent), and is learned from.`,
  options: {
    ...clientOptions,
    template: {
      type: 'string',
      value: 'ID',
      about: 'template to correct, as in the templates table and the dashboard',
    },
    body: {
      type: 'string',
      value: 'TEXT',
      about: 'message to correct, instead of a template; <*> stands for anything',
    },
    service: { type: 'string', value: 'NAME', about: 'only there, default the one service of the template, else all' },
    severity: { type: 'string', value: 'NAME', about: 'DEBUG, INFO, WARN or ERROR' },
    category: { type: 'string', value: 'NAME', about: 'any name' },
    list: { type: 'boolean', about: 'list the corrections that hold' },
    remove: { type: 'string', value: 'ID', about: 'take a correction back' },
    json: jsonOption,
  },
  examples: [
    'logweir correct --template 4be1d0c2 --severity WARN',
    'logweir correct --service checkout --body "payment <*> declined" --severity INFO --category billing',
    'logweir correct --list',
  ],
  async run(ctx) {
    check(ctx);
    const { joinCluster } = await import('./roles/setup.ts');
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      if (ctx.args.flag('list')) return await list(ctx, cluster);
      const id = ctx.args.string('remove');
      return id === undefined ? await add(ctx, cluster) : await remove(ctx, cluster, id);
    } finally {
      await cluster.bus.close();
    }
  },
};

/** @throws LogweirError USAGE */
function check(ctx: CommandContext): void {
  const { args } = ctx;
  const what = ['template', 'body', 'remove'].filter((name) => args.string(name) !== undefined);
  if (args.flag('list')) what.push('list');
  if (what.length !== 1)
    throw new LogweirError(
      'USAGE',
      '"logweir correct" needs exactly one of --template, --body, --list and --remove.',
      'See "logweir correct --help".',
    );
  const says = args.string('severity') !== undefined || args.string('category') !== undefined;
  if (says === (what[0] === 'template' || what[0] === 'body')) return;
  throw new LogweirError(
    'USAGE',
    says ? `--severity and --category do not go with --${what[0]}.` : 'Nothing says what is true of it.',
    says ? 'Leave them out.' : 'Give --severity, --category, or both.',
  );
}

async function add(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const [{ correct }, { severityLabelOf }] = await Promise.all([
    import('#coordinator/mod.ts'),
    import('#analysis/classification/mod.ts'),
  ]);
  const named = ctx.args.string('severity');
  const severity = named === undefined ? '' : severityLabelOf(named);
  if (severity === undefined)
    throw new LogweirError('USAGE', `"${named}" is no severity.`, 'Use DEBUG, INFO, WARN or ERROR.');
  const about = await aboutOf(ctx, cluster);
  const correction = await correct(cluster.store, {
    ...about,
    severity,
    category: ctx.args.string('category') ?? '',
    by: whoami(),
    atMs: Date.now(),
  });
  if (ctx.args.flag('json')) ctx.print(JSON.stringify(correction));
  else ctx.print(`Correction ${correction.id} holds within seconds: ${sayWhat(correction)}.`);
  return exitCodes.ok;
}

/** Text and service of what is corrected. @throws LogweirError INPUT_EMPTY for a template that is not stored */
async function aboutOf(
  ctx: CommandContext,
  { settings }: ClusterSetup,
): Promise<Pick<Correction, 'text' | 'templateId' | 'service'>> {
  const service = ctx.args.string('service');
  const templateId = ctx.args.string('template');
  if (templateId === undefined) return { text: ctx.args.string('body') ?? '', templateId: '', service: service ?? '' };
  const { Queries } = await import('#storage/mod.ts');
  const queries = Queries.overUrl(settings.urls.clickhouse);
  const { items } = await queries.templates({ templateId, service, sort: 'count' }, { limit: 2 });
  const [found] = items;
  if (found === undefined)
    throw new LogweirError(
      'INPUT_EMPTY',
      `No template ${templateId} is stored${service === undefined ? '' : ` of service ${service}`}.`,
      'Take its id from "logweir sql \'SELECT TemplateId, Template FROM templates\'", or give the message with --body.',
    );
  return { text: found.template, templateId, service: service ?? (items.length === 1 ? found.service : '') };
}

const sayWhat = ({ text, service, severity, category }: Correction): string =>
  `"${text.slice(0, 80)}" ${service === '' ? 'of every service' : `of ${service}`} is ${[severity, category].filter((part) => part !== '').join(', ')}`;

async function list(ctx: CommandContext, { store }: ClusterSetup): Promise<number> {
  const { readCorrections } = await import('#coordinator/mod.ts');
  const corrections = await readCorrections(store);
  if (ctx.args.flag('json')) for (const item of corrections.items) ctx.print(JSON.stringify(item));
  else {
    const rows = corrections.items.map(({ id, service, severity, category, by, text }) => [
      id,
      service === '' ? 'every service' : service,
      severity,
      category,
      by,
      text.slice(0, 60),
    ]);
    if (rows.length === 0) ctx.print('No corrections hold.');
    else
      for (const line of table([['id', 'service', 'severity', 'category', 'by', 'text'], ...rows], 6)) ctx.print(line);
    if (corrections.published < corrections.version)
      ctx.print('The leader has not told all partitions of the last change yet.');
  }
  return corrections.items.length === 0 ? exitCodes.nothing : exitCodes.ok;
}

async function remove(ctx: CommandContext, { store }: ClusterSetup, id: string): Promise<number> {
  const { uncorrect } = await import('#coordinator/mod.ts');
  const removed = await uncorrect(store, id);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ id, removed }));
  else ctx.print(removed ? `Correction ${id} no longer holds, within seconds.` : `There is no correction ${id}.`);
  return removed ? exitCodes.ok : exitCodes.nothing;
}
