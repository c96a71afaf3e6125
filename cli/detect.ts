import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { lineBatches, lineText } from './input.ts';
import { LineWriter } from './output.ts';
import { parseSeriesRow } from './series-row.ts';

export const command: Command = {
  about: [
    'Finds anomalies in raw data, without labels and in one pass.',
    '--series: rows "timestamp,value" become "timestamp,value,anomaly_score" (0–1). A score rests on the rows before it',
    'only; from stdin each row is answered before the next one is needed.',
    '--sequences: lines are grouped by the key that the regular expression finds (a trace, block or request id); prints',
    'the anomalous keys, with --json every key: {"key":"…","anomalous":true,"score":0.97}.',
  ].join('\n'),
  usage: '[FILE]',
  positionals: { min: 0, max: 1 },
  options: {
    series: { type: 'boolean', about: 'the input is a series in CSV' },
    sequences: { type: 'boolean', about: 'the input is log lines that belong together by a key' },
    key: {
      type: 'string',
      value: 'REGEX',
      about: 'for --sequences: finds the key; its first group, or the whole match',
    },
    json: jsonOption,
  },
  examples: ['logweir detect --series cpu.csv', "logweir detect --sequences --key 'blk_-?\\d+' --json hdfs.log"],
  run(ctx) {
    const series = ctx.args.flag('series');
    if (series === ctx.args.flag('sequences')) throw usage('"logweir detect" needs either --series or --sequences.');
    const key = ctx.args.string('key');
    if (series && key !== undefined) throw usage('--key belongs to --sequences.');
    if (series) return detectSeries(ctx);
    if (key === undefined) throw usage('--sequences needs --key REGEX.');
    return detectSequences(ctx, key);
  },
};

const usage = (message: string): LogweirError => new LogweirError('USAGE', message, 'See "logweir detect --help".');

async function detectSeries(ctx: CommandContext): Promise<number> {
  const { SeriesDetector } = await import('#analysis/detectors/mod.ts');
  const detector = new SeriesDetector();
  const out = new LineWriter(ctx);
  let line = 0;
  let rows = 0;
  let unreadable = 0;
  for (const batch of lineBatches(ctx, ctx.args.positionals[0])) {
    for (const bytes of batch) {
      const text = lineText(bytes);
      line++;
      if (text.trim() === '') continue;
      const row = parseSeriesRow(text);
      if (row === undefined && line === 1) {
        if (!ctx.args.flag('json')) await out.line(`${text},anomaly_score`);
        continue;
      }
      if (row === undefined) unreadable++;
      rows++;
      const score = Number(detector.score(row?.timeMs ?? Number.NaN, row?.value ?? Number.NaN).toFixed(6));
      const fields = { timestamp: row?.timestamp ?? text, value: row?.value ?? null, anomaly_score: score };
      await out.line(ctx.args.flag('json') ? JSON.stringify(fields) : `${text},${score}`);
    }
    await out.flush();
  }
  if (unreadable > 0) ctx.note(`logweir: ${unreadable} rows are not "timestamp,value" with a number; they scored 0.`);
  return rows === 0 ? exitCodes.nothing : exitCodes.ok;
}

async function detectSequences(ctx: CommandContext, key: string): Promise<number> {
  const { KeyedSequenceDetector } = await import('#analysis/detectors/mod.ts');
  const detector = new KeyedSequenceDetector({ key });
  const out = new LineWriter(ctx);
  const json = ctx.args.flag('json');
  let keys = 0;
  let anomalous = 0;
  const print = async (verdicts: ReturnType<typeof detector.end>): Promise<void> => {
    for (const verdict of verdicts) {
      keys++;
      if (verdict.anomalous) anomalous++;
      if (json) await out.line(JSON.stringify(verdict));
      else if (verdict.anomalous) await out.line(`${verdict.score.toFixed(2)}  ${verdict.key}`);
    }
  };
  for (const batch of lineBatches(ctx, ctx.args.positionals[0])) {
    for (const bytes of batch) await print(detector.line(lineText(bytes)));
    await out.flush();
  }
  await print(detector.end());
  await out.flush();
  if (!json) ctx.note(`${anomalous} of ${keys} keys are anomalous.`);
  return keys === 0 ? exitCodes.nothing : exitCodes.ok;
}
