/** `when` and `unless`: what a record must be for a step to look at it. All that is named must hold. */
import { globOf, Memo, severityNumberOf } from '#protocol/mod.ts';
import { fieldRef } from './field.ts';
import type { Item, Origin } from './item.ts';
import { linearPattern } from './linear.ts';
import { choice, flag, group, isGroup, shown, text, texts, wrong } from './reading.ts';

export interface Condition {
  /** Asks for the line as it came. */
  readonly readsLine: boolean;
  meets(item: Item): boolean;
}

/** What a record may have come by. */
export const receiverNames = [
  'file',
  'ingest',
  'otlpHttp',
  'otlpGrpc',
  'loki',
  'elasticsearch',
  'splunk',
  'datadog',
  'firehose',
  'journald',
  'syslog',
  'gelf',
  'forward',
  'nats',
] as const;

const receiversOf = (raw: unknown, path: string): string[] =>
  texts(raw, path).map((name, i) => choice(name, Array.isArray(raw) ? `${path}[${i}]` : path, receiverNames));

const keys = ['service', 'receiver', 'file', 'severityMin', 'severityMax', 'body', 'line', 'fields'] as const;
const fieldKeys = ['equals', 'matches', 'exists'] as const;
type Test = (item: Item) => boolean;

/** Null where everything meets it. @throws LogweirError CONFIG_INVALID */
export function condition(when: unknown, unless: unknown, path: string): Condition | null {
  const must = when === undefined ? [] : tests(when, `${path}.when`);
  const mustNot = unless === undefined ? [] : tests(unless, `${path}.unless`);
  if (must.length === 0 && mustNot.length === 0) return null;
  const readsLine = [when, unless].some((one) => isGroup(one) && one['line'] !== undefined);
  return {
    readsLine,
    meets(item) {
      for (const test of must) if (!test(item)) return false;
      return mustNot.length === 0 || !mustNot.every((test) => test(item));
    },
  };
}

function tests(raw: unknown, path: string): Test[] {
  const given = group(raw, path, keys);
  if (Object.keys(given).length === 0)
    throw wrong(path, 'is empty', `Name at least one of ${keys.join(', ')}, or leave it out.`);
  const found: Test[] = [];
  if (given['service'] !== undefined) {
    const globs = globsOf(given['service'], `${path}.service`);
    found.push((item) => globs(item.service));
  }
  if (given['receiver'] !== undefined) {
    const names = receiversOf(given['receiver'], `${path}.receiver`);
    found.push((item) => names.includes(item.origin.receiver));
  }
  if (given['file'] !== undefined) {
    const file = fileGlobs(given['file'], `${path}.file`);
    found.push((item) => file(item.origin.file));
  }
  const low = severity(given['severityMin'], `${path}.severityMin`, 0);
  const high = severity(given['severityMax'], `${path}.severityMax`, 3);
  // A record whose severity nobody said is neither high nor low.
  if (low !== undefined) found.push((item) => item.severityNumber >= low);
  if (high !== undefined) found.push((item) => item.severityNumber > 0 && item.severityNumber <= high);
  if (given['body'] !== undefined) {
    const pattern = linearPattern(text(given['body'], `${path}.body`, 4096), `${path}.body`);
    found.push((item) => pattern.test(item.body));
  }
  if (given['line'] !== undefined) {
    const pattern = linearPattern(text(given['line'], `${path}.line`, 4096), `${path}.line`);
    // As it came, until a parse step has read it; the body where records do not come as lines.
    found.push((item) => pattern.test(item.raw === null ? item.body : item.raw.head));
  }
  if (given['fields'] !== undefined) {
    if (!isGroup(given['fields']))
      throw wrong(
        `${path}.fields`,
        `is ${shown(given['fields'])}`,
        'It must be a group of fields and what they must be.',
      );
    for (const [name, wanted] of Object.entries(given['fields']))
      found.push(fieldTest(name, wanted, `${path}.fields.${name}`));
  }
  return found;
}

function fieldTest(name: string, raw: unknown, path: string): Test {
  const field = fieldRef(name, path);
  if (!isGroup(raw)) {
    const values = texts(raw, path);
    return (item) => {
      const value = field.get(item);
      return value !== undefined && values.includes(value);
    };
  }
  const given = group(raw, path, fieldKeys);
  const found: Test[] = [];
  if (given['equals'] !== undefined) found.push(fieldTest(name, texts(given['equals'], `${path}.equals`), path));
  if (given['matches'] !== undefined) {
    const pattern = linearPattern(text(given['matches'], `${path}.matches`, 4096), `${path}.matches`);
    found.push((item) => {
      const value = field.get(item);
      return value !== undefined && pattern.test(value);
    });
  }
  if (given['exists'] !== undefined) {
    const exists = flag(given['exists'], `${path}.exists`, true);
    found.push((item) => (field.get(item) !== undefined) === exists);
  }
  if (found.length === 0) throw wrong(path, 'says nothing', `Name one of ${fieldKeys.join(', ')}.`);
  return (item) => found.every((test) => test(item));
}

/** A name or a number 1–24; a name means all of its class: `range` is added to its number. */
function severity(raw: unknown, path: string, range: number): number | undefined {
  if (raw === undefined) return undefined;
  if (Number.isInteger(raw) && (raw as number) >= 1 && (raw as number) <= 24) return raw as number;
  const number = typeof raw === 'string' ? severityNumberOf(raw) : 0;
  if (number === 0)
    throw wrong(
      path,
      `is ${shown(raw)}`,
      'It must be TRACE, DEBUG, INFO, WARN, ERROR, FATAL or a number from 1 to 24.',
    );
  return number % 4 === 1 ? number + range : number;
}

/** What of an origin is known before there are records: for lines that are put together first. */
export interface LineSource extends Pick<Origin, 'receiver' | 'file'> {
  /** '' where only the lines know it. */
  service: string;
}

/** `when` of rules about lines. @throws LogweirError CONFIG_INVALID */
export function sourceCondition(raw: unknown, path: string): (source: LineSource) => boolean {
  if (raw === undefined) return () => true;
  const given = group(raw, path, ['service', 'receiver', 'file']);
  const service = given['service'] === undefined ? undefined : globsOf(given['service'], `${path}.service`);
  const receivers = given['receiver'] === undefined ? undefined : receiversOf(given['receiver'], `${path}.receiver`);
  const file = given['file'] === undefined ? undefined : fileGlobs(given['file'], `${path}.file`);
  return (source) =>
    (service === undefined || service(source.service)) &&
    (receivers === undefined || receivers.includes(source.receiver)) &&
    (file === undefined || file(source.file));
}

/** A glob without a slash is compared with the file's name, any other with its whole path. */
function fileGlobs(raw: unknown, path: string): (file: string) => boolean {
  const globs = texts(raw, path).map((glob) => ({ fits: globOf(glob), whole: glob.includes('/') }));
  return (file) => {
    if (file === '') return false;
    const name = file.slice(file.lastIndexOf('/') + 1);
    return globs.some(({ fits, whole }) => fits(whole ? file : name));
  };
}

function globsOf(raw: unknown, path: string): (text: string) => boolean {
  const globs = texts(raw, path).map(globOf);
  const memo = new Memo<boolean>(4096);
  return (text) => memo.get(text, () => globs.some((glob) => glob(text)));
}
