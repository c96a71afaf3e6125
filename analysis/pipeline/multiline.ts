/** `multiline`: which lines of a file or a plain text belong to one record. */
import { type LineFolding, recordLinesMax } from '#analysis/formats/mod.ts';
import { recordBytesMax } from '#protocol/mod.ts';
import { type LineSource, sourceCondition } from './condition.ts';
import { linearPattern } from './linear.ts';
import { compileGrok, type GrokPatterns } from './grok.ts';
import { group, shown, text, whole, wrong } from './reading.ts';

const rulesMax = 64;

export type FoldingOf = (source: LineSource) => LineFolding | undefined;

/** The first rule whose `when` holds. @throws LogweirError CONFIG_INVALID */
export function multilineRules(raw: unknown, path: string, patterns: GrokPatterns): FoldingOf {
  if (raw === undefined) return () => undefined;
  if (!Array.isArray(raw) || raw.length > rulesMax)
    throw wrong(path, `is ${shown(raw)}`, `It must be a list of at most ${rulesMax} rules.`);
  const rules = raw.map((rule, i) => multilineRule(rule, `${path}[${i}]`, patterns));
  return (source) => rules.find(({ when }) => when(source))?.folding;
}

function multilineRule(
  raw: unknown,
  path: string,
  patterns: GrokPatterns,
): { when: (source: LineSource) => boolean; folding: LineFolding } {
  const given = group(raw, path, ['when', 'start', 'continue', 'linesMax', 'bytesMax']);
  const named = (['start', 'continue'] as const).filter((key) => given[key] !== undefined);
  const [kind] = named;
  if (kind === undefined || named.length > 1)
    throw wrong(
      path,
      named.length === 0 ? 'names no pattern' : 'names two patterns',
      'Name either start, a pattern of first lines, or continue, one of all others.',
    );
  const at = `${path}.${kind}`;
  const source = text(given[kind], at, 4_096);
  // Grok names work here, too.
  const grok = source.includes('%{') ? compileGrok(source, at, patterns) : null;
  const pattern = grok === null ? linearPattern(source, at) : null;
  const fits = (line: string): boolean => (grok === null ? (pattern?.test(line) ?? false) : grok.match(line) !== null);
  return {
    when: sourceCondition(given['when'], `${path}.when`),
    folding: {
      continues: kind === 'start' ? (line) => !fits(line) : fits,
      linesMax: whole(given['linesMax'], `${path}.linesMax`, 500, 1, recordLinesMax),
      charactersMax: whole(given['bytesMax'], `${path}.bytesMax`, 65_536, 64, recordBytesMax),
    },
  };
}
