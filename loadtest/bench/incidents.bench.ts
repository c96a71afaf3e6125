/**
 * Detectors on worlds with labelled incidents: precision, recall, F1 by kind, delay, wrong names, false alarms.
 * Run: node loadtest/bench/incidents.bench.ts [--seeds 1-8] [--quiet 1-4] [--quiet-hours 24] [--verbose] [--json]
 * With --texts PATH (repeatable) services say what the logs there say: see text-corpus.ts for what is read; --kinds error_spike,silence
 * injects those faults only.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { faultKinds, Scenario } from '../../generator/mod.ts';
import { scoreRun, type Score, summarise, total } from './incident-score.ts';
import { readTexts } from './text-corpus.ts';
import { textFaultKinds } from './text-faults.ts';
import { TextWorld } from './text-world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-8' },
    quiet: { type: 'string', default: '' },
    'rate-max': { type: 'string', default: '40' },
    'quiet-hours': { type: 'string', default: '24' },
    texts: { type: 'string', multiple: true, default: [] },
    kinds: { type: 'string', default: textFaultKinds.join(',') },
    verbose: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

function range(text: string): number[] {
  if (text === '') return [];
  const [from, to] = text.split('-').map(Number) as [number, number | undefined];
  return Array.from({ length: (to ?? from) - from + 1 }, (_, i) => from + i);
}

const rateMax = Number(values['rate-max']);
const note = (line: string): void => void (values.verbose && process.stderr.write(`${line}\n`));
const texts = readTexts(values.texts);
const kinds = faultKinds.filter((kind) => values.kinds.split(',').includes(kind));
const incidents: Score[] = range(values.seeds).map((seed) => {
  if (texts.size > 0) return scoreRun(new TextWorld({ seed, texts, rateMax, kinds }), seed, note);
  // Every fourth world has extreme rates, from one record in twenty seconds to two hundred a second.
  const options = seed % 4 === 0 ? { seed, rateMin: 0.05, rateMax: 5 * rateMax } : { seed, rateMax };
  return scoreRun(new Scenario(options), seed, note);
});
const quiet: Score[] = range(values.quiet).map((number) => {
  const seed = 10_000 + number;
  const hours = Number(values['quiet-hours']);
  const options = { seed, faults: 0, hours, rateMin: 0.05, rateMax: 8, changesPerHour: 0.1 };
  return scoreRun(texts.size > 0 ? new TextWorld({ ...options, texts }) : new Scenario(options), seed, note);
});
const result = { incidents: total(incidents), quiet: total(quiet) };
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : summarise(result));
