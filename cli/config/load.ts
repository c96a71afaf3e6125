/**
 * The configuration of a process: defaults, then the YAML file, then the environment, then options of the command
 * line. Validated here once, at the door; every problem names where it stands, the key, and what is allowed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { LogweirError } from '#protocol/errors.ts';
import { didYouMean } from '../nearest.ts';
import { checkAcross } from './cross-checks.ts';
import { type Config, environmentName, kindsOf, rawSections, schema } from './schema.ts';
import { type Lookup, readYaml, type YamlFile } from './yaml.ts';

export interface ConfigSources {
  /** Path as given by `--config`; undefined takes ./logweir.yaml if it is there. */
  file?: string | undefined;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Values by dotted path that options of the command line give, with the option's name for errors. */
  options?: Readonly<Record<string, { value: string; option: string } | undefined>>;
}

export interface LoadedConfig {
  config: Config;
  /** Absolute path of the file that was read, if any. */
  file: string | undefined;
  /** Whether somebody set this dotted path, as opposed to its default. */
  isSet(path: string): boolean;
  /** Where a path such as `ports.api` or `alerting.channels[0].url` was set, for errors: `logweir.yaml:3`, `LOGWEIR_PORTS_API`, `--port-api` or `default`. */
  origin(path: string): string;
}

const remedy = 'Correct it and start again; docs/configuration.md lists every key.';

/** @throws LogweirError CONFIG_INVALID with every problem, one per line, INPUT_UNREADABLE for the file itself. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const lookup = environmentLookup(sources.env);
  const path = sources.file ?? (existsSync(resolve(sources.cwd, 'logweir.yaml')) ? 'logweir.yaml' : undefined);
  const file = path === undefined ? undefined : resolve(sources.cwd, path);
  const yaml = file === undefined ? undefined : readYaml(relative(sources.cwd, file) || file, readText(file), lookup);
  const problems: string[] = [];
  const origins = new Map<string, string>();
  const origin = (key: string): string => origins.get(key) ?? 'default';

  if (yaml !== undefined) problems.push(...unknownKeys(yaml));
  problems.push(...unknownVariables(sources.env));
  const config: Record<string, Record<string, unknown>> = {};
  for (const [section, kinds] of Object.entries(schema)) {
    const values: Record<string, unknown> = (config[section] = {});
    const fromFile = yaml === undefined ? {} : sectionOf(yaml, section);
    for (const [key, kind] of Object.entries(kinds)) {
      values[key] = kind.fallback;
      const dotted = `${section}.${key}`;
      for (const { raw, where } of settingsOf(dotted, fromFile[key], yaml, kind.alias, lookup, sources)) {
        const result = kind.read(raw);
        if ('wrong' in result) problems.push(`${where}: ${dotted} ${result.wrong}.`);
        else {
          values[key] = result.value;
          origins.set(dotted, where);
        }
      }
    }
  }
  const rawPlaces = new Map<string, (path: string) => string>();
  for (const section of Object.keys(rawSections)) {
    const { values, place } = rawSection(section, yaml, lookup);
    config[section] = values;
    if (Object.keys(values).length > 0) rawPlaces.set(section, place);
  }
  if (problems.length === 0) problems.push(...checkAcross(config as unknown as Config, origin));
  if (problems.length > 0) throw new LogweirError('CONFIG_INVALID', problems.join('\n  '), remedy);
  return {
    config: config as unknown as Config,
    file,
    isSet: (key) => origins.has(key) || rawPlaces.has(key),
    origin: (key) => rawPlaces.get(key.split('.')[0] ?? '')?.(key) ?? origin(key),
  };
}

/** A section that another folder validates: from its environment variable as a whole, else from the file. */
function rawSection(
  section: string,
  yaml: YamlFile | undefined,
  lookup: Lookup,
): { values: Record<string, unknown>; place: (path: string) => string } {
  const variable = environmentName(section);
  const text = lookup(variable);
  if (text !== undefined) {
    const source = readYaml(variable, `${section}:\n${text.replace(/^/gm, '  ')}`, lookup);
    return { values: sectionOf(source, section), place: () => variable };
  }
  if (yaml === undefined) return { values: {}, place: () => 'default' };
  return { values: sectionOf(yaml, section), place: yaml.place };
}

/** What sets one key, the weakest first. */
function settingsOf(
  dotted: string,
  fromFile: unknown,
  yaml: YamlFile | undefined,
  alias: string | undefined,
  lookup: Lookup,
  sources: ConfigSources,
): { raw: unknown; where: string }[] {
  const [section = '', key = ''] = dotted.split('.');
  const found: { raw: unknown; where: string }[] = [];
  if (fromFile !== undefined && yaml !== undefined) found.push({ raw: fromFile, where: yaml.place(dotted) });
  for (const name of [alias, environmentName(section, key)]) {
    const value = name === undefined ? undefined : lookup(name);
    if (name !== undefined && value !== undefined) found.push({ raw: value, where: name });
  }
  const option = sources.options?.[dotted];
  if (option !== undefined) found.push({ raw: option.value, where: option.option });
  return found;
}

/** `NAME`, or the content of the file that `NAME_FILE` names, as container secrets are handed over. */
function environmentLookup(env: ConfigSources['env']): Lookup {
  return (name) => {
    if (env[name] !== undefined) return env[name];
    const file = env[`${name}_FILE`];
    return file === undefined ? undefined : readText(file).replace(/\r?\n$/, '');
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
    throw new LogweirError('INPUT_UNREADABLE', `The file ${file} ${reason}.`, 'Name a file that can be read.', {
      cause,
    });
  }
}

function sectionOf(yaml: YamlFile, section: string): Record<string, unknown> {
  const value = yaml.root[section];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function unknownKeys(yaml: YamlFile): string[] {
  const sections = [...Object.keys(schema), ...Object.keys(rawSections)];
  return Object.entries(yaml.root).flatMap(([section, value]) => {
    if (!sections.includes(section)) {
      const hint = didYouMean(section, sections) || ` Sections are ${sections.join(', ')}.`;
      return [`${yaml.place(section)}: there is no section "${section}".${hint}`];
    }
    if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
      return [`${yaml.place(section)}: section "${section}" must hold keys, not a single value or a list.`];
    }
    const keys = Object.keys(kindsOf(section) ?? {});
    if (keys.length === 0) return [];
    const unknown = Object.keys(value ?? {}).filter((key) => !keys.includes(key));
    return unknown.map((key) => {
      const hint = didYouMean(key, keys) || ` Keys of ${section} are ${keys.join(', ')}.`;
      return `${yaml.place(`${section}.${key}`)}: there is no key "${section}.${key}".${hint}`;
    });
  });
}

/** Names under LOGWEIR_ are ours alone, so one that sets nothing is a slip that would otherwise go unseen. */
function unknownVariables(env: ConfigSources['env']): string[] {
  const known = Object.entries(schema).flatMap(([section, kinds]) =>
    Object.keys(kinds).map((key) => environmentName(section, key)),
  );
  known.push(...Object.keys(rawSections).map((section) => environmentName(section)));
  return Object.keys(env)
    .filter(
      (name) => name.startsWith('LOGWEIR_') && !known.includes(name.replace(/_FILE$/, '')) && !known.includes(name),
    )
    .map((name) => `${name}: this environment variable sets nothing.${didYouMean(name, known)}`);
}
