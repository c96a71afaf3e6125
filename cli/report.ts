import { type Command, exitCodes, jsonOption } from './command.ts';
import { clientOptions, clusterSettings } from './settings.ts';
import { rangeOf, rangeOptions } from './time-range.ts';

export const command: Command = {
  about: [
    'Sums up what is stored: total logs, windows with errors, busiest services, severities, templates, what detectors',
    'found and how often, incidents, and the newest anomalies. Ends with 3 when nothing is stored in that time.',
  ].join('\n'),
  options: { ...clientOptions, ...rangeOptions, json: jsonOption },
  examples: ['logweir report', 'logweir report --from 24h', 'logweir report --json --from 2026-01-01 --to 2026-02-01'],
  async run(ctx) {
    const wanted = rangeOf(ctx, Date.now());
    const settings = clusterSettings(ctx, 'clickhouseUrl');
    const [{ Queries }, { renderReport }] = await Promise.all([
      import('#storage/queries/mod.ts'),
      import('./report-view.ts'),
    ]);
    const queries = Queries.overUrl(settings.urls.clickhouse);
    const extent = await queries.extent();
    const fromMs = wanted.fromMs ?? extent?.oldestMs ?? 0;
    const toMs = wanted.toMs ?? (extent?.newestMs ?? 0) + 1;
    const report = await queries.report({ fromMs, toMs: Math.max(toMs, fromMs + 1) });
    if (ctx.args.flag('json')) ctx.print(JSON.stringify(report));
    else await ctx.write(renderReport(report));
    return report.totalLogs === 0 ? exitCodes.nothing : exitCodes.ok;
  },
};
