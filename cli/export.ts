import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes } from './command.ts';
import { exportFormats, exportQuery, exportTables } from './export-query.ts';
import { didYouMean } from './nearest.ts';
import { Progress } from './progress.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { rangeOf, rangeOptions } from './time-range.ts';

const names = (of: object): string => Object.keys(of).join(', ');

export const command: Command = {
  about: [
    'Writes what is stored as a file for other programs: CSV with a header, JSON lines, or Parquet. Times are UTC in',
    'ISO 8601; in CSV and TSV, values with a structure of their own are JSON text.',
  ].join('\n'),
  options: {
    ...clientOptions,
    ...rangeOptions,
    format: { type: 'string', value: 'NAME', about: `${names(exportFormats)}; default csv` },
    table: { type: 'string', value: 'NAME', about: `${names(exportTables)}; default windows` },
    service: { type: 'string', value: 'NAME', multiple: true, about: 'only this service; may be given more than once' },
    out: { type: 'string', short: 'o', value: 'FILE', about: 'where it goes, default stdout' },
  },
  examples: [
    'logweir export --format csv > windows.csv',
    'logweir export --table logs --service checkout --from 24h --out checkout.csv',
    'logweir export --table anomalies --format parquet --out anomalies.parquet',
  ],
  async run(ctx) {
    const format = choice(ctx, 'format', exportFormats, 'csv');
    const tableName = ctx.args.string('table') ?? 'windows';
    const table = choice(ctx, 'table', exportTables, 'windows');
    const filter = { ...rangeOf(ctx, Date.now()), services: ctx.args.strings('service') };
    const query = exportQuery(table, filter, format.flat);
    const settings = clusterSettings(ctx, 'clickhouseUrl');
    const { HttpClickHouse } = await import('#storage/mod.ts');
    const client = new HttpClickHouse({ url: settings.urls.clickhouse });
    const progress = new Progress(ctx, `exporting ${tableName}`, undefined, 'B');
    const write = writerOf(ctx);
    let bytes = 0;
    for await (const chunk of client.stream(query.sql, {
      format: format.name,
      params: query.params,
      settings: query.settings,
    })) {
      progress.update((bytes += chunk.length));
      await write.chunk(chunk);
    }
    await write.end();
    progress.end();
    return exitCodes.ok;
  },
};

function choice<T>(ctx: CommandContext, option: string, from: Readonly<Record<string, T>>, fallback: string): T {
  const name = ctx.args.string(option) ?? fallback;
  const found = Object.hasOwn(from, name) ? from[name] : undefined;
  if (found !== undefined) return found;
  const hint = didYouMean(name, Object.keys(from)) || ` Choose one of ${names(from)}.`;
  throw new LogweirError('USAGE', `--${option} cannot be "${name}".${hint}`, 'See "logweir export --help".');
}

function writerOf(ctx: CommandContext): { chunk(bytes: Uint8Array): Promise<void>; end(): Promise<void> } {
  const name = ctx.args.string('out');
  if (name === undefined || name === '-') return { chunk: (bytes) => ctx.write(bytes), end: () => Promise.resolve() };
  const stream = createWriteStream(resolve(ctx.cwd, name));
  const failed = new Promise<never>((_, reject) => {
    stream.once('error', (cause) =>
      reject(
        new LogweirError('INPUT_UNREADABLE', `${name} cannot be written: ${cause.message}.`, 'Choose another file.', {
          cause,
        }),
      ),
    );
  });
  failed.catch(() => {});
  return {
    chunk: (bytes) => Promise.race([failed, new Promise<void>((done) => stream.write(bytes, () => done()))]),
    end: () => Promise.race([failed, finished(stream.end())]),
  };
}
