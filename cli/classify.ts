import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LogweirError } from '#protocol/errors.ts';
import { type Command, type CommandContext, exitCodes, jsonOption } from './command.ts';
import { textLines } from './input.ts';
import { labelledRecords } from './labelled.ts';
import { LineWriter } from './output.ts';

export const command: Command = {
  about: [
    'Tells severity and category of log messages by their words. Each line is one message.',
    'Prints severity, category, confidence and message; with --json one object per line, in order:',
    '{"line":1,"severity":"ERROR","category":"…","confidence":0.93}.',
    'With --prequential each line is {"body","severity"?,"category"?}, and is learned from after it was predicted.',
  ].join('\n'),
  usage: '[FILE]',
  positionals: { min: 0, max: 1 },
  options: {
    json: jsonOption,
    model: { type: 'string', value: 'MODEL', about: 'model of "logweir train", default the built-in one' },
    prequential: { type: 'boolean', about: 'predict each labelled record, then learn from it' },
  },
  examples: ['logweir classify app.log', 'logweir classify --json --model my.model - < app.log'],
  async run(ctx) {
    const analysis = await import('#analysis/classification/mod.ts');
    const file = ctx.args.positionals[0];
    const model = loadModel(ctx, analysis.decodeModel) ?? analysis.baseModel;
    const out = new LineWriter(ctx);
    let current = '';
    const bodies = function* (): Generator<string> {
      for (current of textLines(ctx, file)) yield current;
    };
    const records = function* () {
      for (const record of labelledRecords(ctx, file)) {
        current = record.body;
        yield record;
      }
    };
    const answers = ctx.args.flag('prequential')
      ? analysis.prequential(records(), model)
      : analysis.classifyAll(bodies(), model);
    let lines = 0;
    for (const answer of answers) {
      lines++;
      const { severity, category, confidence } = answer;
      await out.line(
        ctx.args.flag('json')
          ? JSON.stringify(answer)
          : `${severity.padEnd(7)}  ${category.padEnd(12)}  ${confidence.toFixed(2)}  ${current}`,
      );
    }
    await out.flush();
    return lines === 0 ? exitCodes.nothing : exitCodes.ok;
  },
};

function loadModel<M>(ctx: CommandContext, decode: (bytes: Uint8Array) => M): M | undefined {
  const file = ctx.args.string('model');
  if (file === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(resolve(ctx.cwd, file));
  } catch (cause) {
    throw new LogweirError('INPUT_UNREADABLE', `The model ${file} cannot be read.`, 'Make one with "logweir train".', {
      cause,
    });
  }
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof LogweirError)) throw error;
    throw new LogweirError(error.code, `${file}: ${error.message}`, error.remedy, { cause: error });
  }
}
