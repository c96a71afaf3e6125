/** `logweir backtest`: what a configuration would have fired over the past. Nobody is told of anything. */
import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { clientOptions } from './settings.ts';
import { parseSpan, rangeOf, rangeOptions } from './time-range.ts';

const warmUpDefault = '6h';

export const command: Command = {
  about: `Runs an analysis and alerting configuration over stored logs, or over log files, and prints what it would have fired:
anomalies, alerts by day, notifications by channel, incidents; for stored logs against what did fire. It is the analysis of
workers and the decisions of alerting, and tells nobody. The same input and configuration give the same output.
Without --config it is the configuration that the cluster runs, which shows what stored logs can and cannot repeat: ticks and
lost order within a message make small differences in when a silent service is noticed.`,
  usage: '[FILE…]',
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    ...clientOptions,
    config: {
      type: 'string',
      value: 'FILE',
      about: 'configuration to try: its sections analysis and alerting, default what the cluster runs',
    },
    ...rangeOptions,
    service: { type: 'string', value: 'NAME', multiple: true, about: 'only this service; may be repeated' },
    'warm-up': {
      type: 'string',
      value: 'TIME',
      about: `stored logs before --from that detectors learn from, such as 24h, default ${warmUpDefault}`,
    },
    model: {
      type: 'string',
      value: 'V',
      about: 'model that classifies, default the one that serves; 0 is the built-in',
    },
    'alerts-only': {
      type: 'boolean',
      about: 'decide alerts over the stored findings as they ended up, without analysing logs again',
    },
    check: { type: 'boolean', about: 'end with 3 where anything would fire that did not, or the other way round' },
    json: jsonOption,
  },
  examples: [
    'logweir backtest --config candidate.yaml --from 7d',
    'logweir backtest --config candidate.yaml --from 2026-01-30 --to 2026-01-31 --service checkout',
    'logweir backtest --alerts-only --config routes.yaml --from 30d --json',
    'logweir backtest --config candidate.yaml app.log db.log.gz',
  ],
  async run(ctx) {
    check(ctx);
    const { backtestFiles, backtestStored } = await import('./backtest-run.ts');
    const { renderBacktest } = await import('./backtest-view.ts');
    const result =
      ctx.args.positionals.length > 0
        ? await backtestFiles(ctx)
        : await backtestStored(ctx, rangeOf(ctx, Date.now()), warmUpOf(ctx));
    if (ctx.args.flag('json')) ctx.print(JSON.stringify(result));
    else await ctx.write(renderBacktest(result));
    if (result.records === 0) return exitCodes.nothing;
    const differ = [result.anomalies, result.alerts].some((all) => all.added.length + all.removed.length > 0);
    return ctx.args.flag('check') && differ ? exitCodes.nothing : exitCodes.ok;
  },
};

const usage = (message: string): LogweirError => new LogweirError('USAGE', message, 'See "logweir backtest --help".');

/** @throws LogweirError USAGE */
function check({ args }: CommandContext): void {
  if (args.positionals.length === 0) return;
  for (const name of ['from', 'to', 'warm-up', 'model'])
    if (args.string(name) !== undefined) throw usage(`--${name} belongs to stored logs; files are read whole.`);
  for (const name of ['alerts-only', 'check'])
    if (args.flag(name)) throw usage(`--${name} belongs to stored logs; of files, nothing has fired yet.`);
  if (args.strings('service').length > 1) throw usage('For files, --service names the service of every record, once.');
}

function warmUpOf({ args }: CommandContext): number {
  const text = args.string('warm-up') ?? warmUpDefault;
  const ms = text === '0' ? 0 : parseSpan(text);
  if (ms === undefined) throw usage(`--warm-up ${text} is no length of time, such as 30m, 24h or 7d.`);
  return ms;
}
