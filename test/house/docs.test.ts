/** Documentation that must say what the code does. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '#cli/commands.ts';
import { deadReasons } from '#protocol/dead-letter.ts';
import { errorCodes } from '#protocol/errors.ts';
import { boundaries } from './boundaries.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function markdownFiles(dir: string): string[] {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory())
      return entry.name.startsWith('.') || entry.name === 'node_modules' ? [] : markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

describe('docs/errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (.+?) \| (yes|no) \| (.+?) \|$/gm)];

  it('lists every error code in order, and no other', () => {
    expect(rows.map((row) => row[1])).toEqual(Object.keys(errorCodes));
  });

  it.each(rows.map((row) => [row[1], row[2], row[3]]))('says of %s what the catalogue says', (code, meaning, retry) => {
    const entry = errorCodes[code as keyof typeof errorCodes];
    expect({ meaning, retry }).toEqual({ meaning: entry.about, retry: entry.retry ? 'yes' : 'no' });
  });
});

describe('docs/dead-letters.md', () => {
  it('lists every reason, as the code says it', () => {
    const rows = [...read('docs/dead-letters.md').matchAll(/^\| `([a-z_]+)` \| (.+?) \|$/gm)];
    expect(Object.fromEntries(rows.map((row) => [row[1], row[2]]))).toEqual(deadReasons);
  });
});

describe('all documentation', () => {
  const files = markdownFiles('.');

  it.each(files)('%s links to files that are there', (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      (match) => match[1] ?? '',
    );
    const broken = links.filter((link) => !existsSync(resolve(root, dirname(file), link)));
    expect(broken.map((link) => `${relative(root, file)}: ${link}`)).toEqual([]);
  });

  it.each(files)('%s names only commands that exist', (file) => {
    const named = [...read(file).matchAll(/(?:\.\/|`|^)logweir ([a-z]+)(?![\w/.-])/gm)].map((match) => match[1] ?? '');
    expect(named.filter((name) => !Object.hasOwn(commands, name) && name !== 'help')).toEqual([]);
  });

  it('has a README in every folder of code', () => {
    const present = Object.keys(boundaries).filter(
      (folder) => existsSync(join(root, folder)) && statSync(join(root, folder)).isDirectory(),
    );
    expect(present.filter((folder) => !existsSync(join(root, folder, 'README.md')))).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');

  it('has the import table that the lint enforces', () => {
    const rows = [...text.matchAll(/^\| (?:\[)?`?([a-z]+)\/.*? \| .+? \| (.+?) \|$/gm)];
    const stated = Object.fromEntries(rows.map(([, folder = '', may = '']) => [folder, may]));
    const sorted = (names: readonly string[]): string => names.toSorted().join(', ');
    for (const [folder, allowed] of Object.entries(boundaries)) {
      const may = stated[folder];
      if (may === undefined || folder === 'cli' || folder === 'dashboard') continue;
      const said = may === 'nothing of ours' ? [] : may.split(', ');
      expect(`${folder}: ${sorted(said)}`).toBe(`${folder}: ${sorted(allowed)}`);
    }
    const present = Object.keys(boundaries).filter((folder) => existsSync(join(root, folder)));
    expect(present.filter((folder) => stated[folder] === undefined)).toEqual([]);
  });

  it('gives a reason for every dependency', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, string>
    >;
    const named = text.slice(text.indexOf('## Dependencies'));
    const covers = (name: string): boolean =>
      named.includes(`\`${name}\``) || named.includes(`\`${name.split('/')[0]}/*\``);
    expect(
      [...Object.keys(dependencies ?? {}), ...Object.keys(devDependencies ?? {})].filter((name) => !covers(name)),
    ).toEqual([]);
  });
});
