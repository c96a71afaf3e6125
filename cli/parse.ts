/** `logweir parse`: what would come out of files, and why. */
import { performance } from 'node:perf_hooks';
import type { TemplateMiner } from '#analysis/templates/mod.ts';
import type { Previewed } from '#ingest/pipeline/mod.ts';
import { type Command, type CommandContext, configOption, exitCodes } from './command.ts';
import { LineWriter } from './output.ts';
import { isMiss, jsonLine, type Miss, recordLines, type Summary, summaryLines } from './parse-view.ts';

const shownDefault = 20;
const columnsDefault = 160;
const exampleCharactersMax = 1_024;

export const command: Command = {
  about: `Shows what would come out of log files, without a cluster: for each record its lines, the format that fitted, time,
severity, service, body and fields, and what the steps of the configured pipeline did to it. Ends with a summary:
records by format, by step and reason, and what no format fits, grouped by template.
Takes what "logweir ingest" takes: files, globs, directories and - for standard input, packed or not.`,
  usage: 'FILE…',
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    config: configOption,
    service: {
      type: 'string',
      value: 'NAME',
      about: 'service of every record, default what the lines or file names say',
    },
    limit: {
      type: 'string',
      value: 'N',
      about: `records shown, default ${shownDefault}, with --json or --misses all; all are counted`,
    },
    misses: { type: 'boolean', about: 'show only records that no format fits; exit 3 where there are none' },
    json: { type: 'boolean', about: 'print one JSON object a record, the summary on stderr' },
  },
  examples: [
    'logweir parse app.log',
    'logweir parse --config logweir.yaml --misses /var/log/shop/*.log.gz',
    'logweir parse --json --limit 100 - < app.log | jq .attributes',
  ],
  async run(ctx) {
    const [
      { failedOver, openLogFiles },
      { emptyCounts, previewFiles },
      { TemplateMiner },
      { configOf },
      { pipelineOf },
    ] = await Promise.all([
      import('./log-files.ts'),
      import('#ingest/pipeline/mod.ts'),
      import('#analysis/templates/mod.ts'),
      import('./settings.ts'),
      import('./config/mod.ts'),
    ]);
    const loaded = configOf(ctx);
    const pipeline = await pipelineOf(loaded, ctx.cwd);
    const { files, problems, onBytes, onProblem, end } = await openLogFiles(ctx, ctx.args.positionals);
    if (files.length === 0) return exitCodes.failed;
    const counts = emptyCounts();
    const shower = new Shower(ctx, new TemplateMiner(), files.length > 1);
    const startedMs = performance.now();
    const records = previewFiles(files, pipeline, {
      service: ctx.args.string('service'),
      nowMs: Date.now(),
      counts,
      signal: ctx.signal,
      onBytes,
      onProblem,
    });
    for await (const batch of records) for (const one of batch) await shower.take(one);
    end();
    const seconds = (performance.now() - startedMs) / 1_000;
    await shower.end({ files: files.length, counts, steps: pipeline?.counts() ?? [], seconds });
    if (failedOver(problems, counts.lines)) return exitCodes.failed;
    return counts.records === 0 || (ctx.args.flag('misses') && shower.missed === 0) ? exitCodes.nothing : exitCodes.ok;
  },
};

/** Shows records, up to the limit, and counts all. */
class Shower {
  missed = 0;
  private readonly ctx: CommandContext;
  private readonly miner: TemplateMiner;
  private readonly manyFiles: boolean;
  private readonly limit: number;
  private readonly json: boolean;
  private readonly onlyMisses: boolean;
  private readonly columns: number;
  private readonly out: LineWriter;
  private shown = 0;
  private records = 0;
  private readonly byOutcome = { ok: 0, drop: 0, dead: 0, redirect: 0 };
  private readonly byPattern = new Map<string, number>();
  private readonly misses = new Map<number, Miss>();

  constructor(ctx: CommandContext, miner: TemplateMiner, manyFiles: boolean) {
    this.ctx = ctx;
    this.miner = miner;
    this.manyFiles = manyFiles;
    this.json = ctx.args.flag('json');
    this.onlyMisses = ctx.args.flag('misses');
    this.limit =
      ctx.args.integer('limit', { min: 0 }) ?? (this.json || this.onlyMisses ? Number.POSITIVE_INFINITY : shownDefault);
    this.columns = ctx.terminal.stdout ? ctx.terminal.columns : columnsDefault;
    this.out = new LineWriter(ctx);
  }

  async take(previewed: Previewed): Promise<void> {
    this.records++;
    this.byOutcome[previewed.outcome]++;
    const { pattern, record, file, line } = previewed;
    if (pattern !== '') this.byPattern.set(pattern, (this.byPattern.get(pattern) ?? 0) + 1);
    const missed = isMiss(previewed);
    if (missed) this.miss(record.body, file, line);
    if (this.shown >= this.limit || (this.onlyMisses && !missed)) return;
    this.shown++;
    const { out } = this;
    if (this.json) return out.line(jsonLine(previewed));
    for (const text of recordLines(previewed, this.manyFiles ? file : '', this.columns)) await out.line(text);
  }

  private miss(body: string, file: string, line: number): void {
    this.missed++;
    const slot = this.miner.mineText(body, 0);
    const known = this.misses.get(slot);
    if (known !== undefined) known.count++;
    else this.misses.set(slot, { template: '', count: 1, file, line, example: body.slice(0, exampleCharactersMax) });
  }

  async end(more: Pick<Summary, 'files' | 'counts' | 'steps' | 'seconds'>): Promise<void> {
    const { out, byOutcome, byPattern, missed } = this;
    const lines = summaryLines({ ...more, byOutcome, byPattern, missed, misses: this.grouped() });
    const hidden = (this.onlyMisses ? missed : this.records) - this.shown;
    if (!this.json && hidden > 0) lines.unshift(`… ${hidden.toLocaleString('en-US')} more; --limit shows them`);
    if (!this.json) for (const line of this.shown > 0 ? ['', ...lines] : lines) await out.line(line);
    await out.flush();
    if (this.json) for (const line of lines) this.ctx.note(line);
  }

  /** By templates as they stand at the end, the most frequent first. */
  private grouped(): Miss[] {
    this.miner.review();
    const bySlot = new Map<number, Miss>();
    for (const [slot, miss] of this.misses) {
      const last = this.miner.resolve(slot);
      const known = bySlot.get(last);
      if (known !== undefined) known.count += miss.count;
      else
        bySlot.set(last, { ...miss, template: this.miner.has(last) ? this.miner.template(last).text : miss.example });
    }
    return [...bySlot.values()].sort((a, b) => b.count - a.count);
  }
}
