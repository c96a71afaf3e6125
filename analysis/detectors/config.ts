/** Every threshold, window and pattern of the analysis: its default, its range, and one configuration for all logs. */
import { RE2JS } from 're2js';
import type { WindowsConfig } from '#analysis/windows/mod.ts';
import {
  booleanField,
  check,
  choiceField,
  type Field,
  invalid,
  listField,
  numberField,
  objectField,
  textField,
  type Valued,
  wholeField,
} from './schema.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const windowsShape = {
  sizeMs: wholeField(30 * second, second, hour),
  allowedDisorderMs: wholeField(5 * second, 0, hour),
  allowedLatenessMs: wholeField(10 * minute, 0, day),
  rollingMs: wholeField(5 * minute, second, day),
  idleTimeoutMs: wholeField(30 * second, second, day),
  emptyWindowsMax: wholeField(120, 0, 2880),
} satisfies { [key in keyof WindowsConfig]: Field<number> };

/** Features of a window that rules and the z-score may look at. */
export const windowFeatures = [
  'logCount',
  'infoCount',
  'warnCount',
  'errorCount',
  'fatalCount',
  'criticalCount',
  'debugCount',
  'errorRate',
  'warnToInfoRatio',
  'templateCount',
  'newTemplateCount',
  'valueMean',
  'valueP95',
] as const;
export type WindowFeature = (typeof windowFeatures)[number];

const detectorsShape = {
  /** What the window detectors compare with: the last `windows` windows, without those of an open incident. */
  history: objectField({
    windows: wholeField(128, 60, 2880),
    /** After so many windows of one incident its level counts as the new normal. */
    skipMax: wholeField(40, 0, 2880),
  }),
  /** Errors within a sliding window, judged at every error by an exact tail probability against the history. */
  errorSpike: objectField({
    enabled: booleanField(true),
    windowMs: wholeField(minute, second, 30 * minute),
    warmupWindows: wholeField(4, 1, 1000),
    errorsMin: wholeField(6, 1, 1_000_000),
    /** Fires where chance alone gives as many errors once in 10^this windows. */
    tailExponent: numberField(6, 2, 300),
    /** The share of errors must be this many times the usual one as well. */
    shareFactorMin: numberField(2, 1, 1000),
    /** Below the closing level for this long, the incident is over. */
    holdMs: wholeField(minute, second, hour),
  }),
  /** No records at all where there should be some. */
  silence: objectField({
    enabled: booleanField(true),
    warmupWindows: wholeField(10, 3, 1000),
    windowsMin: wholeField(1, 1, 1000),
    /** Also rules out, 13 to 1, that a tenth of the usual records still comes. */
    tailExponent: numberField(11, 2, 300),
    /** The silence must be this many times the longest one known. */
    longestFactor: numberField(2, 1, 100),
  }),
  /** Far fewer records than usual, but not none. */
  volumeDrop: objectField({
    enabled: booleanField(true),
    warmupWindows: wholeField(20, 3, 1000),
    tailExponent: numberField(7, 2, 300),
    factorMax: numberField(0.55, 0.01, 0.99),
  }),
  /** Far more records than usual, of many templates. */
  volumeSurge: objectField({
    enabled: booleanField(true),
    tailExponent: numberField(8, 2, 300),
    factorMin: numberField(2, 1, 1000),
  }),
  /** A template that came regularly and stays away while the service goes on. */
  templateVanished: objectField({
    enabled: booleanField(true),
    tailExponent: numberField(6, 2, 300),
    /** Windows that it was seen in before its absence is told. */
    activeMin: wholeField(25, 5, 10_000),
  }),
  /** A known template that comes far more often than ever. */
  templateBurst: objectField({
    enabled: booleanField(true),
    tailExponent: numberField(8, 2, 300),
    /** Records within two windows. */
    countMin: wholeField(8, 2, 1_000_000),
    /** Times its largest window so far. */
    factorMin: numberField(2.5, 1, 1000),
  }),
  /** Two templates that came in pairs, one of which stays away. */
  sequenceBroken: objectField({
    enabled: booleanField(true),
    /** Searches (every 8 windows) that found the pair before it counts. */
    searchesMin: wholeField(4, 1, 100),
    missingMin: wholeField(3, 1, 1_000_000),
  }),
  /** Messages that an id ties together: a step missing, or out of order, in more of them than ever. */
  unusualSequence: objectField({
    enabled: booleanField(true),
    /** Fires where as many odd ones come by chance once in 10^this. */
    tailExponent: numberField(10, 2, 300),
    /** Faster services are not followed: reading ids costs a third of all that is done with a record. */
    recordsPerSecondMax: wholeField(2000, 1, 1_000_000),
  }),
  newTemplate: objectField({
    enabled: booleanField(true),
    warmupMs: wholeField(10 * minute, 0, 30 * day),
    warmupRecords: wholeField(200, 0, 1_000_000_000),
    /** Only templates of this severity number or above; 13 is WARN, 17 is ERROR, 0 is all. */
    severityMin: wholeField(17, 0, 24),
    /** At most this many findings within `burstMs`; more means that the service is still being learned. */
    burstMax: wholeField(3, 1, 1000),
    burstMs: wholeField(30 * minute, second, day),
    /** Records of it, within `mergeMs`, before it is told; a fatal one at once. */
    countMin: wholeField(3, 1, 1_000_000),
    /** New templates this close together are one finding. */
    mergeMs: wholeField(minute, 0, hour),
  }),
  /** A new value in a place of a message that has few: a status code, a state. */
  newValue: objectField({
    enabled: booleanField(true),
    /** Spans of 5 s with the place in them before a new value is told. */
    ticksMin: wholeField(360, 10, 1_000_000),
    /** Fires where the value would have been missed so far by a chance of 1 in 10^this. */
    tailExponent: numberField(9, 2, 300),
    /** New values in so many places at a time are a change of the service, and not told. */
    placesMax: wholeField(4, 2, 64),
  }),
  /** Each number in each template (a latency, a size) against its own past: steps at once, slow rises by blocks. */
  latency: objectField({
    enabled: booleanField(true),
    tracksMax: wholeField(32, 1, 1024),
    warmupWindows: wholeField(10, 3, 1000),
    countMin: wholeField(8, 1, 1_000_000),
    windowsMin: wholeField(2, 1, 100),
    zMin: numberField(8, 1, 1000),
    /** Least change: 1.3 finds a typical value that is 30 % higher. */
    factorMin: numberField(1.3, 1.01, 1000),
  }),
  /** All features of a window at once: distance from the usual cloud of windows. */
  multivariate: objectField({
    enabled: booleanField(true),
    warmupWindows: wholeField(40, 10, 10_000),
    tailExponent: numberField(10, 2, 300),
    /** The distance must also be this many times the largest one of the recent past. */
    factorMin: numberField(2, 1, 1000),
    /** Where one feature makes up more than this share of the distance, it is no mix. */
    shareMax: numberField(0.85, 0.1, 1),
    /** Windows over which the past fades to 1/e. */
    horizonWindows: wholeField(120, 10, 100_000),
  }),
};

const matcherShape = {
  /** Any of these texts in the body, whatever their case. Empty: every body. */
  contains: listField<string>([], textField(''), 16),
  /** RE2 pattern that the body must match somewhere; '' = none. */
  matches: { ...textField(''), read: readPattern, allowed: 'an RE2 pattern of at most 512 characters' },
  severityMin: wholeField(0, 0, 24),
  severityMax: wholeField(24, 0, 24),
};
const matcherField = objectField(matcherShape);
export type MatcherConfig = Valued<typeof matcherShape>;

const sequenceShape = {
  name: textField(''),
  /** Services it applies to; `*` stands for any text. */
  service: textField('*'),
  steps: listField<MatcherConfig>([], matcherField, 8),
  /** Must not follow the steps: what it meets takes back the oldest match. None by default. */
  without: matcherField,
  /** From the first step to the last; with `without`, from the first step to the end of the wait for it. */
  withinMs: wholeField(minute, 1, day),
  /** Between a step and the next: at least, and at most (0: no bound but `withinMs`). */
  gapMsMin: wholeField(0, 0, day),
  gapMsMax: wholeField(0, 0, day),
  score: numberField(75, 0, 100),
};
export type SequenceConfig = Valued<typeof sequenceShape>;

const ruleKinds = ['threshold', 'ratio', 'absence', 'pattern'] as const;
const operators = ['>', '>=', '<', '<='] as const;
const ruleShape = {
  name: textField(''),
  service: textField('*'),
  /** threshold: `field` op value. ratio: field / `per` op value. absence: no `match` for `withinMs`. pattern: at
   *  least `value` records that `match` within `withinMs`. */
  kind: choiceField<(typeof ruleKinds)[number]>('threshold', ruleKinds),
  field: choiceField<WindowFeature>('errorCount', windowFeatures),
  per: choiceField<WindowFeature>('logCount', windowFeatures),
  op: choiceField<(typeof operators)[number]>('>', operators),
  value: numberField(1, -1e15, 1e15),
  /** In at least `windows` of the last `of` windows. */
  windows: wholeField(1, 1, 120),
  of: wholeField(1, 1, 120),
  match: matcherField,
  withinMs: wholeField(minute, second, day),
  score: numberField(80, 0, 100),
};
export type RuleConfig = Valued<typeof ruleShape>;

const sequencesDefault: SequenceConfig[] = [
  {
    ...objectField(sequenceShape).fallback,
    name: 'out_of_memory_then_crash_then_start',
    steps: [
      { ...matcherField.fallback, contains: ['out of memory', 'outofmemory', 'oom-kill', 'cannot allocate memory'] },
      {
        ...matcherField.fallback,
        contains: ['killed', 'crash', 'terminated', 'exited', 'fatal', 'shutting down', 'aborted'],
        severityMin: 13,
      },
      { ...matcherField.fallback, contains: ['starting', 'started', 'listening on', 'initializing', 'booting'] },
    ],
    withinMs: 5 * minute,
  },
  {
    ...objectField(sequenceShape).fallback,
    name: 'disk_full_then_writes_stall',
    steps: [
      { ...matcherField.fallback, contains: ['disk full', 'disk is full', 'percent full', '% full', 'no space left'] },
      {
        ...matcherField.fallback,
        contains: ['compaction paused', 'compaction stopped', 'read-only', 'flush failed', 'checkpoint failed'],
      },
      {
        ...matcherField.fallback,
        contains: ['write stalled', 'writes stalled', 'write failed', 'cannot write', 'write blocked'],
      },
    ],
    withinMs: 2 * minute,
  },
  {
    ...objectField(sequenceShape).fallback,
    name: 'timeout_then_retries_exhausted_then_error',
    steps: [
      { ...matcherField.fallback, contains: ['timed out', 'timeout'] },
      {
        ...matcherField.fallback,
        contains: ['retries exhausted', 'giving up', 'max retries', 'no more retries', 'circuit breaker'],
      },
      { ...matcherField.fallback, severityMin: 17 },
    ],
    withinMs: minute,
  },
];

const configField = objectField({
  windows: objectField(windowsShape),
  detectors: objectField(detectorsShape),
  sequences: listField<SequenceConfig>(sequencesDefault, objectField(sequenceShape), 32),
  rules: listField<RuleConfig>([], objectField(ruleShape), 64),
});

export type DetectorsConfig = Valued<typeof detectorsShape>;
export interface AnalysisConfig {
  windows: WindowsConfig;
  detectors: DetectorsConfig;
  sequences: SequenceConfig[];
  rules: RuleConfig[];
}

export const analysisDefaults: AnalysisConfig = configField.fallback;

/**
 * The configuration in full: what is given over the defaults. `path` stands before the keys in errors.
 * @throws LogweirError CONFIG_INVALID that names the key and what is allowed there; for unknown keys too.
 */
export function parseAnalysisConfig(raw: unknown, path = 'analysis'): AnalysisConfig {
  const config: AnalysisConfig = check(configField, raw ?? {}, path);
  const { windows } = config;
  if (windows.rollingMs % windows.sizeMs !== 0)
    throw invalid(
      `${path}.windows.rollingMs is ${windows.rollingMs}`,
      `It must be a multiple of windows.sizeMs (${windows.sizeMs}).`,
    );
  const kept = (windows.allowedLatenessMs + windows.rollingMs + windows.allowedDisorderMs) / windows.sizeMs;
  if (kept > windowsKeptMax)
    throw invalid(
      `${path}.windows would keep ${Math.ceil(kept)} windows of every service in memory`,
      `allowedLatenessMs + rollingMs + allowedDisorderMs must be at most ${windowsKeptMax} times sizeMs.`,
    );
  for (const [at, sequence] of config.sequences.entries()) {
    named(sequence.name, `${path}.sequences[${at}]`);
    const stepsMin = isSelective(sequence.without) ? 1 : 2;
    if (sequence.steps.length < stepsMin)
      throw invalid(
        `${path}.sequences[${at}].steps has ${sequence.steps.length} entries`,
        'It must be a list of 2 to 8 matchers, or of 1 to 8 where "without" is given.',
      );
    if (sequence.gapMsMax > 0 && sequence.gapMsMin > sequence.gapMsMax)
      throw invalid(
        `${path}.sequences[${at}].gapMsMin is ${sequence.gapMsMin}`,
        `It must be at most gapMsMax (${sequence.gapMsMax}).`,
      );
    for (const [step, matcher] of sequence.steps.entries())
      selective(matcher, `${path}.sequences[${at}].steps[${step}]`);
  }
  unique(config.sequences, `${path}.sequences`);
  for (const [at, rule] of config.rules.entries()) {
    const place = `${path}.rules[${at}]`;
    named(rule.name, place);
    if (rule.windows > rule.of)
      throw invalid(`${place}.windows is ${rule.windows}`, `It must be at most "of" (${rule.of}).`);
    if (rule.kind === 'pattern' && (rule.value < 1 || rule.value > 10_000))
      throw invalid(`${place}.value is ${rule.value}`, 'It must be a number from 1 to 10000 for a pattern rule.');
    if (rule.kind === 'absence' || rule.kind === 'pattern') selective(rule.match, `${place}.match`);
  }
  unique(config.rules, `${path}.rules`);
  return config;
}

/** Closed windows that stay in memory per service: two hours of the default size, and room to choose. */
const windowsKeptMax = 2000;

function named(name: string, place: string): void {
  if (name === '')
    throw invalid(`${place}.name is missing`, 'Every entry needs a name; it is shown with what it finds.');
}

function unique(entries: readonly { name: string }[], place: string): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw invalid(`${place} has two entries named ${name}`, 'Give each its own name.');
    names.add(name);
  }
}

/** It says something: not every record meets it. */
export function isSelective({ contains, matches, severityMin, severityMax }: MatcherConfig): boolean {
  return contains.length > 0 || matches !== '' || severityMin > 0 || severityMax < 24;
}

function selective(matcher: MatcherConfig, place: string): void {
  if (isSelective(matcher)) return;
  throw invalid(`${place} matches every record`, 'Give at least one of contains, matches, severityMin, severityMax.');
}

function readPattern(raw: unknown): string | undefined {
  if (typeof raw !== 'string' || raw.length > 512) return undefined;
  try {
    RE2JS.compile(raw);
    return raw;
  } catch {
    return undefined;
  }
}
