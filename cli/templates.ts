import { type Command, exitCodes, jsonOption } from './command.ts';
import { byteLines } from './input.ts';
import { LineWriter } from './output.ts';

export const command: Command = {
  about: [
    'Finds the templates of log messages: what stays the same, with <*> for what varies. Each line is one message.',
    'Prints the templates with their counts, the most frequent first; with --json one object per line, in order:',
    '{"line":1,"templateId":"…","template":"Receiving block <*> src: <*>"}, ids as they stand after the last line.',
  ].join('\n'),
  usage: '[FILE]',
  positionals: { min: 0, max: 1 },
  options: { json: jsonOption },
  examples: ['logweir templates app.log', 'logweir templates --json - < app.log'],
  async run(ctx) {
    const { mineAll } = await import('#analysis/templates/mod.ts');
    const out = new LineWriter(ctx);
    const counts = new Map<string, { template: string; count: number }>();
    let lines = 0;
    for (const mined of mineAll(byteLines(ctx, ctx.args.positionals[0]))) {
      lines++;
      if (ctx.args.flag('json')) {
        await out.line(JSON.stringify(mined));
        continue;
      }
      const known = counts.get(mined.templateId);
      if (known === undefined) counts.set(mined.templateId, { template: mined.template, count: 1 });
      else known.count++;
    }
    const sorted = [...counts].toSorted(([, a], [, b]) => b.count - a.count);
    for (const [id, { template, count }] of sorted) await out.line(`${String(count).padStart(9)}  ${id}  ${template}`);
    await out.flush();
    return lines === 0 ? exitCodes.nothing : exitCodes.ok;
  },
};
