/** `logweir correct`: what a person says of a message beats the classifier. */
import { readFile, writeFile } from 'node:fs/promises';
import { LogweirError } from '#protocol/errors.ts';
import type { NewCorrection } from '#coordinator/mod.ts';
import { type Correction, type CorrectionAct, type Doer, noCorrections, withCorrection } from '#protocol/mod.ts';
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
    why: { type: 'string', value: 'TEXT', about: 'reason, kept in the history' },
    list: { type: 'boolean', about: 'list the corrections that hold' },
    remove: { type: 'string', value: 'ID', about: 'take a correction back' },
    undo: { type: 'string', value: 'ID', about: 'take its last change back: what held before it holds again' },
    history: { type: 'boolean', about: 'who did what, when and why, newest first; kept in ClickHouse for ever' },
    export: { type: 'string', value: 'FILE', about: 'write those that hold as NDJSON, - for standard output' },
    import: { type: 'string', value: 'FILE', about: 'read such a file, - for standard input; all of it or nothing' },
    json: jsonOption,
  },
  examples: [
    'logweir correct --template 4be1d0c2 --severity WARN',
    'logweir correct --service checkout --body "payment <*> declined" --severity INFO --category billing',
    'logweir correct --list',
    'logweir correct --undo 5c1f0a9be2d34c77 --why "declines are warnings after all"',
    'logweir correct --export corrections.ndjson',
  ],
  async run(ctx) {
    check(ctx);
    const { joinCluster } = await import('./roles/setup.ts');
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      const { args } = ctx;
      if (args.flag('list')) return await list(ctx, cluster);
      if (args.flag('history')) return await history(ctx, cluster);
      const [id, undone] = [args.string('remove'), args.string('undo')];
      if (id !== undefined) return await remove(ctx, cluster, id);
      if (undone !== undefined) return await undo(ctx, cluster, undone);
      const [to, from] = [args.string('export'), args.string('import')];
      if (to !== undefined) return await exportTo(ctx, cluster, to);
      if (from !== undefined) return await importFrom(ctx, cluster, from);
      return await add(ctx, cluster);
    } finally {
      await cluster.bus.close();
    }
  },
};

/** @throws LogweirError USAGE */
function check(ctx: CommandContext): void {
  const { args } = ctx;
  const what = ['template', 'body', 'remove', 'undo', 'export', 'import'].filter(
    (name) => args.string(name) !== undefined,
  );
  for (const name of ['list', 'history']) if (args.flag(name)) what.push(name);
  if (what.length !== 1)
    throw new LogweirError(
      'USAGE',
      '"logweir correct" needs exactly one of --template, --body, --list, --remove, --undo, --history, --export and --import.',
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
    ...doerOf(ctx),
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
    const rows = corrections.items.map(({ id, service, severity, category, by, atMs, why = '', text }) => [
      id,
      service === '' ? 'every service' : service,
      severity,
      category,
      by,
      timeOf(atMs),
      why.slice(0, 40),
      text.slice(0, 60),
    ]);
    if (rows.length === 0) ctx.print('No corrections hold.');
    else
      for (const line of table(
        [['id', 'service', 'severity', 'category', 'by', 'at (UTC)', 'why', 'text'], ...rows],
        8,
      ))
        ctx.print(line);
    if (corrections.published < corrections.version)
      ctx.print('The leader has not told all partitions of the last change yet.');
  }
  return corrections.items.length === 0 ? exitCodes.nothing : exitCodes.ok;
}

async function remove(ctx: CommandContext, { store }: ClusterSetup, id: string): Promise<number> {
  const { uncorrect } = await import('#coordinator/mod.ts');
  const removed = await uncorrect(store, id, doerOf(ctx));
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ id, removed }));
  else ctx.print(removed ? `Correction ${id} no longer holds, within seconds.` : `There is no correction ${id}.`);
  return removed ? exitCodes.ok : exitCodes.nothing;
}

const doerOf = (ctx: CommandContext): Doer => ({ by: whoami(), why: ctx.args.string('why') ?? '', atMs: Date.now() });
const timeOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

async function actsOf({ settings }: ClusterSetup, id?: string): Promise<CorrectionAct[]> {
  const { Queries } = await import('#storage/mod.ts');
  return await Queries.overUrl(settings.urls.clickhouse).correctionActs({ id });
}

async function undo(ctx: CommandContext, cluster: ClusterSetup, id: string): Promise<number> {
  const { undoCorrection } = await import('#coordinator/mod.ts');
  const undone = await undoCorrection(cluster.store, id, await actsOf(cluster, id), doerOf(ctx));
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ id, undone }));
  else
    ctx.print(
      undone ? `The last change of correction ${id} is taken back, within seconds.` : `There is no correction ${id}.`,
    );
  return undone ? exitCodes.ok : exitCodes.nothing;
}

async function history(ctx: CommandContext, cluster: ClusterSetup): Promise<number> {
  const { historyOf, readCorrections } = await import('#coordinator/mod.ts');
  const acts = historyOf(await readCorrections(cluster.store), await actsOf(cluster));
  if (ctx.args.flag('json')) for (const act of acts) ctx.print(JSON.stringify(act));
  else if (acts.length === 0) ctx.print('Nothing was ever corrected.');
  else {
    const rows = acts.map(({ atMs, by, kind, why, correction: { id, service, severity, category, text } }) => [
      timeOf(atMs),
      by,
      kind,
      id,
      service === '' ? 'every service' : service,
      [severity, category].filter((part) => part !== '').join(', '),
      why.slice(0, 40),
      text.slice(0, 60),
    ]);
    for (const line of table([['at (UTC)', 'by', 'act', 'id', 'service', 'says', 'why', 'text'], ...rows], 8))
      ctx.print(line);
  }
  return acts.length === 0 ? exitCodes.nothing : exitCodes.ok;
}

async function exportTo(ctx: CommandContext, { store }: ClusterSetup, file: string): Promise<number> {
  const { readCorrections } = await import('#coordinator/mod.ts');
  const { items } = await readCorrections(store);
  const lines = items.map((item) => JSON.stringify(item));
  if (file === '-') for (const line of lines) ctx.print(line);
  else {
    await writeFile(file, lines.map((line) => `${line}\n`).join(''));
    ctx.print(`${items.length} ${items.length === 1 ? 'correction' : 'corrections'} written to ${file}.`);
  }
  return exitCodes.ok;
}

async function importFrom(ctx: CommandContext, { store }: ClusterSetup, file: string): Promise<number> {
  const { correctAll } = await import('#coordinator/mod.ts');
  const text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  const asked = parseCorrections(text, doerOf(ctx));
  const made = await correctAll(store, asked);
  if (ctx.args.flag('json')) for (const one of made) ctx.print(JSON.stringify(one));
  else ctx.print(`${made.length} ${made.length === 1 ? 'correction holds' : 'corrections hold'} within seconds.`);
  return exitCodes.ok;
}

/**
 * Lines of an export, or with text, severity and category alone. Who imports them says so from now on; a reason that
 * stands in the file stays. @throws LogweirError REQUEST_INVALID, naming the line
 */
export function parseCorrections(text: string, doer: Doer): NewCorrection[] {
  const asked = text.split('\n').flatMap((line, index): NewCorrection[] => {
    if (line.trim() === '') return [];
    const given = readJson(line);
    const of = (name: string): string => {
      const value = given?.[name] ?? '';
      if (given !== null && typeof value === 'string') return value;
      throw new LogweirError(
        'REQUEST_INVALID',
        `Line ${index + 1} of the import is no correction${given === null ? '' : `: "${name}" is no text`}.`,
        'A line is an object such as {"service":"shop","text":"paid <*>","severity":"INFO","category":"billing"}.',
      );
    };
    const [service, body, templateId, category] = [of('service'), of('text'), of('templateId'), of('category')];
    const severity = of('severity') as NewCorrection['severity'];
    const why = doer.why === '' ? of('why') : doer.why;
    const one = { service, text: body, templateId, severity, category, ...doer, why };
    try {
      withCorrection(noCorrections, { ...one, id: '' });
    } catch (error) {
      const { code, message, remedy } = error as LogweirError;
      throw new LogweirError(code, `Line ${index + 1} of the import: ${message}`, remedy);
    }
    return [one];
  });
  if (asked.length > 0) return asked;
  throw new LogweirError('INPUT_EMPTY', 'The import holds no correction.', 'Make one with "logweir correct --export".');
}

function readJson(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

async function readAll(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
