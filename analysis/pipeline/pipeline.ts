/**
 * The parsing pipeline: steps of the configuration, compiled once, that each record goes through in order. Pure: what it needs to
 * know of time comes with the record's origin. `run` says what is to become of the record; who calls it acts on that.
 *
 * Hot path where a pipeline is configured; benchmark: loadtest/bench/pipeline.bench.ts.
 */
import { type Condition, condition } from './condition.ts';
import { deadStep, dropStep, keepStep, redirectStep, sampleStep } from './choose-steps.ts';
import { enrichStep, type ReadTable } from './enrich-step.ts';
import { type GrokPatterns, grokPatterns } from './grok.ts';
import type { Item } from './item.ts';
import { mapStep } from './map-step.ts';
import { type FoldingOf, multilineRules } from './multiline.ts';
import { parseStep } from './parse-step.ts';
import { group, isGroup, optionalText, shown, wrong } from './reading.ts';
import { type Mac, RedactStep, redactStep } from './redact-step.ts';
import { type Outcome, pass, type Step } from './step.ts';
import { structureStep } from './structure-steps.ts';
import { timestampStep } from './timestamp-step.ts';

export interface PipelineParts {
  mac: Mac;
  readTable: ReadTable;
}

const stepsMax = 200;
export const stepKinds = [
  'parse',
  'json',
  'logfmt',
  'kv',
  'timestamp',
  'map',
  'drop',
  'keep',
  'sample',
  'redact',
  'enrich',
  'redirect',
  'dead',
] as const;
export type StepKind = (typeof stepKinds)[number];

interface PlacedStep {
  name: string;
  kind: StepKind;
  when: Condition | null;
  step: Step;
}

export interface StepCount {
  step: string;
  kind: StepKind;
  outcome: Outcome['kind'];
  reason: string;
  count: number;
}

export class Pipeline {
  /** How lines of a source are put together, undefined for the built-in rules. */
  readonly foldingOf: FoldingOf;
  /** Whether a step reads lines as they came. */
  readonly needsRaw: boolean;
  private readonly steps: readonly PlacedStep[];
  private readonly redacting: boolean;
  /** Told of every step that did something, for showing what happened. */
  onStep: ((step: string, outcome: Outcome) => void) | null = null;

  constructor(steps: readonly PlacedStep[], foldingOf: FoldingOf) {
    this.steps = steps;
    this.foldingOf = foldingOf;
    this.needsRaw = steps.some(({ kind, when }) => kind === 'parse' || when?.readsLine === true);
    for (const [i, { step }] of steps.entries())
      if (step instanceof RedactStep) step.coversRaw = steps.slice(i).some(({ kind }) => kind === 'parse');
    this.redacting = steps.some(({ kind }) => kind === 'redact');
  }

  /** Whether a record that is set aside may be kept as it came. */
  get keepsSecrets(): boolean {
    return !this.redacting;
  }

  /** What is to become of the record, which the item holds as the steps left it. */
  run(item: Item): Outcome {
    const { steps } = this;
    for (let i = 0; i < steps.length; i++) {
      const { when, step, name } = steps[i] as PlacedStep;
      if (when !== null && !when.meets(item)) continue;
      const outcome = step.run(item);
      if (outcome === pass) continue;
      outcome.count++;
      this.onStep?.(name, outcome);
      if (outcome.kind === 'ok') continue;
      // What is kept elsewhere goes there without secrets, too, wherever the redact step stands.
      if (outcome.kind !== 'drop' && this.redacting) this.redactRest(item, i + 1);
      return outcome;
    }
    return pass;
  }

  private redactRest(item: Item, from: number): void {
    for (const { when, step } of this.steps.slice(from))
      if (step instanceof RedactStep && (when === null || when.meets(item))) step.run(item);
  }

  /** How often each step said what, since the start. */
  counts(): StepCount[] {
    return this.steps.flatMap(({ name, kind, step }) =>
      step.outcomes.map(({ kind: outcome, reason, count }) => ({ step: name, kind, outcome, reason, count })),
    );
  }

  /** Sums for one line of status. */
  totals(): { dropped: number; dead: number; redirected: number } {
    const totals = { dropped: 0, dead: 0, redirected: 0 };
    for (const { step } of this.steps)
      for (const { kind, count } of step.outcomes) {
        if (kind === 'drop') totals.dropped += count;
        else if (kind === 'dead') totals.dead += count;
        else if (kind === 'redirect') totals.redirected += count;
      }
    return totals;
  }
}

/** Null where the section says nothing. @throws LogweirError CONFIG_INVALID that names path and remedy. */
export function compilePipeline(raw: unknown, path: string, parts: PipelineParts): Pipeline | null {
  if (raw === undefined || raw === null || (isGroup(raw) && Object.keys(raw).length === 0)) return null;
  const given = group(raw, path, ['patterns', 'multiline', 'steps']);
  const patterns = grokPatterns(given['patterns'], `${path}.patterns`);
  const foldingOf = multilineRules(given['multiline'], `${path}.multiline`, patterns);
  const listed = given['steps'] ?? [];
  if (!Array.isArray(listed) || listed.length > stepsMax)
    throw wrong(`${path}.steps`, `is ${shown(listed)}`, `It must be a list of at most ${stepsMax} steps.`);
  const held = new Set<string>();
  const names = new Set<string>();
  const steps = listed.map((one, i) => placedStep(one, i, `${path}.steps[${i}]`, patterns, held, names, parts));
  return new Pipeline(steps, foldingOf);
}

function placedStep(
  raw: unknown,
  i: number,
  path: string,
  patterns: GrokPatterns,
  held: Set<string>,
  names: Set<string>,
  parts: PipelineParts,
): PlacedStep {
  const given = group(raw, path, ['name', 'when', 'unless', ...stepKinds]);
  const kinds = stepKinds.filter((kind) => given[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined) throw wrong(path, 'is no step', `Name one of ${stepKinds.join(', ')}.`);
  if (kinds.length > 1)
    throw wrong(
      path,
      `is ${kinds.length} steps (${kinds.join(', ')})`,
      'Write each as an entry of its own, in the order in which they are to work.',
    );
  const name = optionalText(given['name'], `${path}.name`, 64) ?? `${i + 1} ${kind}`;
  if (names.has(name))
    throw wrong(
      `${path}.name`,
      `is "${name}", as another step's`,
      'Give each step a name of its own: it stands for it in metrics.',
    );
  names.add(name);
  const when = condition(given['when'], given['unless'], path);
  return { name, kind, when, step: stepOf(kind, given[kind], `${path}.${kind}`, name, patterns, held, parts) };
}

function stepOf(
  kind: StepKind,
  raw: unknown,
  path: string,
  name: string,
  patterns: GrokPatterns,
  held: Set<string>,
  parts: PipelineParts,
): Step {
  switch (kind) {
    case 'parse':
      return parseStep(raw, path, name, patterns, held);
    case 'json':
    case 'logfmt':
    case 'kv':
      return structureStep(kind, raw, path, name, held);
    case 'timestamp':
      return timestampStep(raw, path, name, held);
    case 'map':
      return mapStep(raw, path, name, held);
    case 'drop':
      return dropStep(raw, path, name);
    case 'keep':
      return keepStep(raw, path, name);
    case 'sample':
      return sampleStep(raw, path, name);
    case 'redact':
      return redactStep(raw, path, name, parts.mac);
    case 'enrich':
      return enrichStep(raw, path, name, held, parts.readTable);
    case 'redirect':
      return redirectStep(raw, path, name);
    case 'dead':
      return deadStep(raw, path, name);
  }
}
