import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { lineBatches, lineText } from './input.ts';
import { LineWriter } from './output.ts';
import { parseSeriesRow } from './series-row.ts';

export const command: Command = {
  about: [
    'Finds anomalies in logs and raw data, without labels and in one pass.',
    'Log files of any common format, or - for standard input: what is unusual in each service, by the analysis that',
    'workers run; prints time, service, finding, score (0–100) and a sentence, with --json one object per anomaly, each as',
    'soon as it is found. What it has come to when all is read: --final.',
    '--series: rows "timestamp,value" become "timestamp,value,anomaly_score" (0–1, an alarm from 0.5, once per',
    'incident). A score rests on the rows before it only; from stdin each row is answered before the next one is needed.',
    '--sequences: lines are grouped by the key that the regular expression finds (a trace, block or request id). A key is',
    'judged when nothing more is to come, which is learned too; prints the anomalous keys and why, with --json every',
    'key: {"key":"…","anomalous":true,"score":0.97,"why":"…"}. What later lines show otherwise is printed again with',
    '"revised":true, at the latest when the input ends: the last verdict on a key counts.',
  ].join('\n'),
  usage: '[FILE…]',
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    service: {
      type: 'string',
      value: 'NAME',
      about: 'service of every record of log files, default what the lines or file names say',
    },
    final: { type: 'boolean', about: 'log files: print anomalies when all is read, with their whole course' },
    series: { type: 'boolean', about: 'the input is a series in CSV' },
    sequences: { type: 'boolean', about: 'the input is log lines that belong together by a key' },
    key: {
      type: 'string',
      value: 'REGEX',
      about: 'for --sequences: finds the key; its first group, or the whole match',
    },
    json: jsonOption,
  },
  examples: [
    'logweir detect app.log db.log.gz',
    'logweir detect --json --service shop - < lines.ndjson',
    'logweir detect --series cpu.csv',
    "logweir detect --sequences --key 'blk_-?\\d+' --json hdfs.log",
  ],
  run(ctx) {
    const series = ctx.args.flag('series');
    const sequences = ctx.args.flag('sequences');
    if (series && sequences) throw usage('--series and --sequences exclude each other.');
    const key = ctx.args.string('key');
    if (!sequences && key !== undefined) throw usage('--key belongs to --sequences.');
    if (!series && !sequences) return detectFiles(ctx);
    if (ctx.args.flag('final')) throw usage('--final belongs to log files.');
    if (ctx.args.string('service') !== undefined) throw usage('--service belongs to log files.');
    if (ctx.args.positionals.length > 1) throw usage('--series and --sequences read one file.');
    if (series) return detectSeries(ctx);
    if (key === undefined) throw usage('--sequences needs --key REGEX.');
    return detectSequences(ctx, key);
  },
};

const usage = (message: string): LogweirError => new LogweirError('USAGE', message, 'See "logweir detect --help".');

async function detectFiles(ctx: CommandContext): Promise<number> {
  const { detectIncidents } = await import('./detect-incidents.ts');
  return detectIncidents(ctx);
}

async function detectSeries(ctx: CommandContext): Promise<number> {
  const { SeriesDetector } = await import('#analysis/detectors/mod.ts');
  const detector = new SeriesDetector();
  const out = new LineWriter(ctx);
  const json = ctx.args.flag('json');
  let line = 0;
  let rows = 0;
  let unreadable = 0;
  let firstUnreadable = '';
  let header = false;
  for (const batch of lineBatches(ctx, ctx.args.positionals[0])) {
    for (const bytes of batch) {
      const text = lineText(bytes);
      line++;
      if (text.trim() === '') continue;
      const row = parseSeriesRow(text);
      if (row === undefined && rows === 0 && !header) {
        header = true;
        if (!json) await out.line(`${text},anomaly_score`);
        continue;
      }
      rows++;
      if (row === undefined && unreadable++ === 0)
        firstUnreadable = `Line ${line} is not "timestamp,value": ${quoted(text)}`;
      const score = row === undefined ? 0 : Number(detector.observe(row.timeMs, row.value).toFixed(6));
      const fields = { timestamp: row?.timestamp ?? text, value: row?.value ?? null, anomaly_score: score };
      await out.line(json ? JSON.stringify(fields) : `${text},${score}`);
    }
    await out.flush();
  }
  if (unreadable === 0) return rows === 0 ? exitCodes.nothing : exitCodes.ok;
  const more = unreadable === 1 ? '' : ` and ${unreadable - 1} more like it`;
  if (unreadable === rows) {
    throw new LogweirError(
      'INPUT_UNREADABLE',
      `No row could be read. ${firstUnreadable}${more}.`,
      'Give rows of a time and a number, such as "2026-01-31 12:00:00,51.5".',
    );
  }
  ctx.note(`logweir: ${firstUnreadable}${more}. Rows without a number score 0.`);
  return exitCodes.ok;
}

const quoted = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);

async function detectSequences(ctx: CommandContext, key: string): Promise<number> {
  const { KeyedSequenceDetector } = await import('#analysis/detectors/mod.ts');
  const detector = new KeyedSequenceDetector({ key });
  const out = new LineWriter(ctx);
  const json = ctx.args.flag('json');
  let keys = 0;
  let anomalous = 0;
  const print = async (verdicts: ReturnType<typeof detector.end>): Promise<void> => {
    for (const verdict of verdicts) {
      const { key: name, score, why, revised = false } = verdict;
      if (!revised) keys++;
      if (verdict.anomalous) anomalous++;
      else if (revised) anomalous--;
      if (json) await out.line(JSON.stringify(verdict));
      else if (verdict.anomalous) await out.line(`${score.toFixed(2)}  ${name}  ${why ?? ''}`);
      else if (revised) await out.line(`${score.toFixed(2)}  ${name}  is usual after all`);
    }
  };
  for (const batch of lineBatches(ctx, ctx.args.positionals[0])) {
    for (const bytes of batch) await print(detector.line(lineText(bytes)));
    await out.flush();
  }
  await print(detector.end());
  await out.flush();
  const { lines, keyless, forgottenOpen } = detector.counts;
  if (keyless > 0 && !(json && keys > 0)) ctx.note(`logweir: ${keyless} of ${lines} lines have no key.`);
  if (forgottenOpen > 0) ctx.note(`logweir: ${forgottenOpen} keys were judged early: too many were open at a time.`);
  if (!json) ctx.note(`${anomalous} of ${keys} keys are anomalous.`);
  return keys === 0 ? exitCodes.nothing : exitCodes.ok;
}
