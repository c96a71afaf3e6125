/** `logweir dead`: what could not be taken, why, and how it gets in after all. */
import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import type { ClusterSetup } from './roles/setup.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { parseTime } from './time-range.ts';

const limitDefault = 50;
const limitMax = 10_000;

export const command: Command = {
  about: `What could not be taken: records, requests and messages that are malformed, too long or refused, with their bytes.
  list          the newest of them, and how many there are of each reason
  show ID       one of them whole; control characters are escaped, --raw writes its bytes as they came
  retry [ID…]   sends them again the way they came, after a parser, limit or configuration was mended; removed once they are stored
  purge [ID…]   removes them
Without ids, retry and purge take what the filters leave. Exit 3: nothing found, or some were refused again.`,
  usage: 'list | show ID | retry [ID…] | purge [ID…]',
  positionals: { min: 1, max: 1_000 },
  options: {
    ...clientOptions,
    reason: { type: 'string', value: 'NAME', about: 'only these, such as malformed, too_long, pipeline, poison' },
    receiver: { type: 'string', value: 'NAME', about: 'only of this receiver, such as syslog' },
    since: { type: 'string', value: 'TIME', about: 'only since then, such as 2h (ago) or 2026-01-31T12:00Z' },
    limit: {
      type: 'string',
      value: 'N',
      about: `the newest N, default ${limitDefault}; of retry and purge, default all`,
    },
    all: { type: 'boolean', about: 'of retry and purge: really all, where there is no other filter' },
    gateway: { type: 'string', value: 'URL', about: 'gateway to send to, default the one of this cluster' },
    raw: { type: 'boolean', about: 'of show: the bytes alone, as they came' },
    json: jsonOption,
  },
  examples: [
    'logweir dead list --reason malformed --since 1h',
    'logweir dead show 17 --raw > letter.bin',
    'logweir dead retry --reason pipeline --all',
  ],
  async run(ctx) {
    const [name = '', ...ids] = ctx.args.positionals;
    const action = actions[name];
    if (action === undefined)
      throw usage(`"logweir dead" does not know "${name}".`, `Use one of ${Object.keys(actions).join(', ')}.`);
    const wanted = readWanted(ctx, name, ids.map(idOf));
    const { joinCluster } = await import('./roles/setup.ts');
    const cluster = await joinCluster(ctx, clusterSettings(ctx, 'natsUrl'));
    try {
      return await action(ctx, cluster, wanted);
    } finally {
      await cluster.bus.close();
    }
  },
};

/** Which letters; ids, or filters. */
interface Wanted {
  ids: number[];
  reason: string | undefined;
  receiver: string | undefined;
  sinceMs: number;
  limit: number;
}

type Action = (ctx: CommandContext, cluster: ClusterSetup, wanted: Wanted) => Promise<number>;

const actions: Readonly<Record<string, Action>> = { list, show, retry, purge };

const usage = (message: string, remedy = 'See "logweir dead --help".'): LogweirError =>
  new LogweirError('USAGE', message, remedy);

function idOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usage(`"${text}" is no dead letter.`, 'They are numbered; see "logweir dead list".');
}

/** @throws LogweirError USAGE */
function readWanted(ctx: CommandContext, name: string, ids: number[]): Wanted {
  const { args } = ctx;
  const since = args.string('since');
  const sinceMs = since === undefined ? 0 : parseTime(since, Date.now());
  if (sinceMs === undefined)
    throw usage(`--since ${since} is no time.`, 'Write 2026-01-31T12:00Z, or 24h for a day ago.');
  const isFiltered = ['reason', 'receiver', 'since', 'limit'].some((option) => args.string(option) !== undefined);
  const changes = name === 'retry' || name === 'purge';
  if (name === 'show' && ids.length !== 1) throw usage('It is "logweir dead show ID".');
  if (name === 'list' && ids.length > 0) throw usage('"logweir dead list" takes no ids.');
  if (changes && ids.length === 0 && !isFiltered && !args.flag('all'))
    throw usage(`"logweir dead ${name}" needs ids, a filter, or --all.`);
  return {
    ids,
    reason: args.string('reason'),
    receiver: args.string('receiver'),
    sinceMs,
    limit: args.integer('limit', { min: 1, max: limitMax }) ?? (changes ? limitMax : limitDefault),
  };
}

interface Found {
  /** Oldest first, the newest `limit` of those that the filters leave. */
  sequences: number[];
  /** By reason and receiver, of all that the filters leave. */
  counts: { reason: string; receiver: string; count: number }[];
}

async function find({ bus }: ClusterSetup, { reason, receiver, sinceMs, limit }: Wanted): Promise<Found> {
  const { deadHeaders } = await import('#bus/mod.ts');
  const sequences: number[] = [];
  const counts = new Map<string, Found['counts'][number]>();
  for await (const header of deadHeaders(bus)) {
    if (header.timeMs < sinceMs) continue;
    if (reason !== undefined && header.reason !== reason) continue;
    if (receiver !== undefined && header.receiver !== receiver) continue;
    sequences.push(header.sequence);
    if (sequences.length > limit * 2) sequences.splice(0, limit);
    const key = `${header.reason} ${header.receiver}`;
    const known = counts.get(key) ?? { reason: header.reason, receiver: header.receiver, count: 0 };
    known.count++;
    counts.set(key, known);
  }
  return { sequences: sequences.slice(-limit), counts: [...counts.values()].sort((a, b) => b.count - a.count) };
}

async function list(ctx: CommandContext, cluster: ClusterSetup, wanted: Wanted): Promise<number> {
  const { lettersAt, listView } = await import('./dead-view.ts');
  const found = await find(cluster, wanted);
  const letters = await lettersAt(cluster.bus, found.sequences.reverse());
  if (ctx.args.flag('json')) {
    const { jsonOf } = await import('./dead-view.ts');
    ctx.print(JSON.stringify({ counts: found.counts, letters: letters.map(jsonOf) }));
  } else for (const line of listView(letters, found.counts)) ctx.print(line);
  return letters.length === 0 ? exitCodes.nothing : exitCodes.ok;
}

async function show(ctx: CommandContext, cluster: ClusterSetup, { ids }: Wanted): Promise<number> {
  const [{ readDeadLetter }, { jsonOf, letterView }] = await Promise.all([
    import('#bus/mod.ts'),
    import('./dead-view.ts'),
  ]);
  const letter = await readDeadLetter(cluster.bus, ids[0] as number);
  if (ctx.args.flag('raw')) await ctx.write(letter.bytes);
  else if (ctx.args.flag('json')) ctx.print(JSON.stringify(jsonOf(letter)));
  else for (const line of letterView(letter)) ctx.print(line);
  return exitCodes.ok;
}

async function retry(ctx: CommandContext, cluster: ClusterSetup, wanted: Wanted): Promise<number> {
  const [{ readDeadLetter }, { resend }] = await Promise.all([import('#bus/mod.ts'), import('./dead-resend.ts')]);
  const { bus, config, settings } = cluster;
  const sequences = wanted.ids.length > 0 ? wanted.ids : (await find(cluster, wanted)).sequences;
  const gatewayUrl = ctx.args.string('gateway') ?? settings.urls.gateway;
  const options = { bus, gatewayUrl, tokens: tokensOf(config) };
  const totals = { taken: 0, refused: 0, later: 0 };
  const failed: { id: number; outcome: string; why: string }[] = [];
  for (const id of sequences) {
    const sent = await resend(await readDeadLetter(bus, id), options);
    totals[sent.outcome]++;
    if (sent.outcome !== 'taken') failed.push({ id, ...sent });
    // All that follow would be told the same.
    if (sent.outcome === 'later') break;
  }
  const left = sequences.length - totals.taken - totals.refused;
  if (ctx.args.flag('json')) ctx.print(JSON.stringify({ ...totals, later: left, failed }));
  else {
    const { escaped } = await import('#protocol/mod.ts');
    for (const { id, why } of failed) ctx.print(`  ${id}  ${escaped(why)}`);
    if (sequences.length === 0) ctx.print('No dead letters there.');
    else
      ctx.print(
        `${totals.taken} stored, ${totals.refused} refused again${left > 0 ? `, ${left} left for later: there is no room now` : ''}.`,
      );
  }
  return totals.taken === sequences.length && sequences.length > 0 ? exitCodes.ok : exitCodes.nothing;
}

/** One of the tokens that the configuration of this machine names. */
function tokensOf({ gateway }: ClusterSetup['config']): Record<string, Record<string, string>> {
  const header = (name: string, tokens: string, prefix = ''): Record<string, string> => {
    const [token] = tokens.split(/[\s,]+/).filter((one) => one !== '');
    return token === undefined ? {} : { [name]: `${prefix}${token}` };
  };
  return {
    splunk: header('authorization', gateway.splunkTokens, 'Splunk '),
    datadog: header('dd-api-key', gateway.datadogKeys),
    firehose: header('x-amz-firehose-access-key', gateway.firehoseKeys),
  };
}

async function purge(ctx: CommandContext, cluster: ClusterSetup, wanted: Wanted): Promise<number> {
  const { removeDeadLetter } = await import('#bus/mod.ts');
  const sequences = wanted.ids.length > 0 ? wanted.ids : (await find(cluster, wanted)).sequences;
  let removed = 0;
  for (const sequence of sequences) if (await removeDeadLetter(cluster.bus, sequence)) removed++;
  ctx.print(ctx.args.flag('json') ? JSON.stringify({ removed }) : `${removed} removed.`);
  return removed > 0 ? exitCodes.ok : exitCodes.nothing;
}
