import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LogweirError } from '#protocol/errors.ts';
import { severityNumberOf } from '#protocol/severity.ts';
import { type Command, exitCodes, jsonOption } from './command.ts';
import { type Labelled, labelledRecords } from './labelled.ts';

/** Bad lines told of one by one. */
const badNamedMax = 10;

export const command: Command = {
  about: [
    'Trains the classifier of severity and category on labelled messages and writes the model to a file.',
    'Each line of the labels is {"body": "…", "severity"?: "ERROR", "category"?: "…"}. Lines that are not are named and',
    'left out. To train on what a cluster stores, use "logweir model train".',
  ].join('\n'),
  options: {
    labels: { type: 'string', value: 'FILE', about: 'labelled records, NDJSON; "-" for stdin' },
    out: { type: 'string', value: 'MODEL', about: 'where the model goes' },
    json: jsonOption,
  },
  examples: ['logweir train --labels labelled.ndjson --out my.model', 'logweir classify --model my.model app.log'],
  async run(ctx) {
    const labels = ctx.args.string('labels');
    const out = ctx.args.string('out');
    if (labels === undefined || out === undefined) {
      throw new LogweirError(
        'USAGE',
        '"logweir train" needs --labels FILE and --out MODEL.',
        'See "logweir train --help".',
      );
    }
    const { encodeModel, trainModel } = await import('#analysis/classification/mod.ts');
    const counts = { records: 0, severities: 0, categories: 0, bad: 0 };
    const onBad = (error: LogweirError): void => {
      if (++counts.bad <= badNamedMax) ctx.note(`${error.message} ${error.remedy}`);
    };
    const counted = function* (): Generator<Labelled> {
      for (const record of labelledRecords(ctx, labels, onBad)) {
        counts.records++;
        if (record.severity !== undefined && severityNumberOf(record.severity) > 0) counts.severities++;
        if (record.category !== undefined) counts.categories++;
        yield record;
      }
    };
    const model = encodeModel(trainModel(counted()));
    if (counts.bad > badNamedMax) ctx.note(`… and ${counts.bad - badNamedMax} more lines like that.`);
    if (counts.severities + counts.categories === 0) {
      throw new LogweirError('INPUT_EMPTY', `${labels} has no labels.`, 'Give records a "severity" or a "category".');
    }
    const path = resolve(ctx.cwd, out);
    try {
      writeFileSync(path, model);
    } catch (cause) {
      throw new LogweirError('INPUT_UNREADABLE', `The model cannot be written to ${out}.`, 'Choose another file.', {
        cause,
      });
    }
    ctx.print(
      ctx.args.flag('json')
        ? JSON.stringify({ ...counts, bytes: model.length, model: path })
        : `Trained on ${counts.records} records (${counts.severities} severities, ${counts.categories} categories)${counts.bad > 0 ? `, ${counts.bad} bad labels or lines left out` : ''}: ${out}`,
    );
    return exitCodes.ok;
  },
};
