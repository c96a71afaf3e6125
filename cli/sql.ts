import { LogweirError } from '#protocol/errors.ts';
import { type Command, exitCodes, jsonOption } from './command.ts';
import { textLines } from './input.ts';
import { clientOptions, clusterSettings } from './settings.ts';

export const command: Command = {
  about: [
    'Runs one query on the ClickHouse of the cluster and prints the result: a table on a terminal, else',
    'tab-separated values with names. Tables: otel_logs, windows, templates, anomalies, alerts, incidents.',
    'The embedded engine only reads unless storage.sqlWritable is on.',
  ].join('\n'),
  usage: 'QUERY',
  positionals: { min: 1, max: 1 },
  options: {
    ...clientOptions,
    json: { ...jsonOption, about: 'print one JSON object per row' },
    format: { type: 'string', value: 'NAME', about: 'any ClickHouse output format, such as CSVWithNames or Parquet' },
    param: { type: 'string', value: 'NAME=VALUE', multiple: true, about: 'value of a {NAME:Type} placeholder' },
  },
  examples: [
    'logweir sql "SELECT ServiceName, count() FROM otel_logs GROUP BY 1 ORDER BY 2 DESC"',
    'logweir sql --json --param s=checkout "SELECT * FROM anomalies WHERE ServiceName = {s:String}"',
    'logweir sql - < query.sql',
  ],
  async run(ctx) {
    const [argument = ''] = ctx.args.positionals;
    const query = argument === '-' ? [...textLines(ctx, '-')].join('\n') : argument;
    if (query.trim() === '') {
      throw new LogweirError(
        'USAGE',
        'The query is empty.',
        'Give a statement such as "SELECT count() FROM otel_logs".',
      );
    }
    if (ctx.args.flag('json') && ctx.args.string('format') !== undefined) {
      throw new LogweirError('USAGE', '--json and --format exclude each other.', 'Give one of them.');
    }
    const format = ctx.args.flag('json')
      ? 'JSONEachRow'
      : (ctx.args.string('format') ?? (ctx.terminal.stdout ? 'PrettyCompactMonoBlock' : 'TSVWithNames'));
    const params = Object.fromEntries(ctx.args.strings('param').map(splitParam));
    const settings = clusterSettings(ctx, 'clickhouseUrl');
    const { HttpClickHouse } = await import('#storage/mod.ts');
    const client = new HttpClickHouse({ url: inDatabase(settings.urls.clickhouse) });
    for await (const chunk of client.stream(query, { format, params })) await ctx.write(chunk);
    return exitCodes.ok;
  },
};

function splitParam(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new LogweirError('USAGE', `--param ${text} is no NAME=VALUE.`, 'Write for example --param service=checkout.');
}

/** Unqualified tables are Logweir's where the URL names no database. */
function inDatabase(text: string): string {
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = '/logweir';
  return url.href;
}
