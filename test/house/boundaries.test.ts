/** Proves that the lint's own rules are alive: plants one violation of each kind in a copy and sees the lint fail. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { boundaries, importProblem, isPure } from './boundaries.ts';

const root = resolve(import.meta.dirname, '../..');
const folders = Object.keys(boundaries);
const copy = mkdtempSync(join(tmpdir(), 'logweir-lint-'));
afterAll(() => rmSync(copy, { recursive: true }));

interface Problem {
  code: string;
  filename: string;
  message: string;
}

/** Lints a tree that has the project's lint settings and the given files. */
function lint(files: Readonly<Record<string, string>>): Problem[] {
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  cpSync(join(root, 'oxlint.config.ts'), join(copy, 'oxlint.config.ts'));
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  cpSync(join(root, 'tsconfig.json'), join(copy, 'tsconfig.json'));
  cpSync(import.meta.dirname, join(copy, 'test/house'), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text);
  }
  const run = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--format=json', ...folders], {
    cwd: copy,
    encoding: 'utf8',
  });
  expect(run.status, run.stderr).toBe(1);
  return (JSON.parse(run.stdout) as { diagnostics: Problem[] }).diagnostics;
}

const planted: Record<string, string> = {};
const forbidden = folders.flatMap((from) =>
  folders
    .filter((to) => to !== from && !boundaries[from]?.includes(to))
    .map((to) => [from, to, `${from}/planted-${to}.ts`] as const),
);
for (const [, to, path] of forbidden) planted[path] = `export { x } from '#${to}/mod.ts';\n`;
const allowed = folders.flatMap((from) =>
  (boundaries[from] ?? []).map((to) => [from, to, `${from}/fine-${to.replaceAll('/', '-')}.ts`] as const),
);
for (const [, to, path] of allowed) planted[path] = `export { x } from '#${to.includes('/') ? to : `${to}/mod.ts`}';\n`;
const impure: Readonly<Record<string, string>> = {
  'analysis/impure-now.ts': 'export const t = Date.now();',
  'analysis/impure-date.ts': 'export const t = new Date();',
  'analysis/deep/impure-chance.ts': 'export const t = Math.random();',
  'protocol/impure-env.ts': "export const t = process.env['HOME'];",
  'protocol/impure-io.ts': "import { readFileSync } from 'node:fs';\nexport const t = readFileSync;",
  'workers/partition.ts': 'export const t = performance.now();',
  'workers/actor-clock.ts': 'export const t = Date.now();',
};
Object.assign(planted, impure, {
  'bus/mod.ts': 'export const x = 1;\n',
  'cli/relative.ts': "export { x } from '../bus/mod.ts';\n",
  'ingest/past-the-door.ts': "export { x } from '#bus/private.ts';\n",
  'ingest/dynamic.ts': "export const x = () => import('#storage/mod.ts');\n",
  'analysis/fine-date.ts': 'export const t = (ms: number): Date => new Date(ms);\n',
  'analysis/fine.test.ts': 'export const t = Date.now();\n',
  'cli/circle-a.ts': "import { b } from './circle-b.ts';\nexport const a = (): number => b();\n",
  'cli/circle-b.ts': "import { a } from './circle-a.ts';\nexport const b = (): number => a();\n",
  'cli/floating.ts': 'export function f(): void {\n  Promise.resolve(1);\n}\n',
});

describe('import rule', () => {
  const problems = lint(planted);
  const codes = (path: string): string[] => problems.filter((p) => p.filename === path).map((p) => p.code);

  it.each(forbidden)('%s may not import %s', (_from, _to, path) => {
    expect(codes(path)).toContain('logweir(boundaries)');
  });

  it.each(allowed)('%s may import %s', (_from, _to, path) => {
    expect(codes(path)).not.toContain('logweir(boundaries)');
  });

  it('sees relative paths out of a folder, private files and dynamic imports', () => {
    for (const path of ['cli/relative.ts', 'ingest/past-the-door.ts', 'ingest/dynamic.ts']) {
      expect(codes(path)).toContain('logweir(boundaries)');
    }
  });

  it.each(Object.keys(impure))('finds the impurity of %s', (path) => {
    expect(codes(path).some((code) => code.startsWith('logweir('))).toBe(true);
  });

  it('leaves pure code and tests alone', () => {
    expect(codes('analysis/fine-date.ts')).toEqual([]);
    expect(codes('analysis/fine.test.ts')).not.toContain('logweir(pure)');
  });

  it('finds import circles and floating promises', () => {
    expect(codes('cli/circle-a.ts')).toContain('import(no-cycle)');
    expect(codes('cli/floating.ts')).toContain('typescript(no-floating-promises)');
  });
});

describe('the table', () => {
  it('covers every folder that holds code', () => {
    const present = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const hidden = new Set(['docker', 'scripts', 'node_modules', 'test', 'docs', 'dist', 'coverage']);
    const code = present.map((entry) => entry.name).filter((name) => !name.startsWith('.') && !hidden.has(name));
    expect(code.filter((name) => boundaries[name] === undefined)).toEqual([]);
  });

  it('knows pure files by path', () => {
    expect(isPure('workers/partition-state.ts')).toBe(true);
    expect(isPure('workers/runner.ts')).toBe(false);
    expect(importProblem('workers/runner.ts', 'node:fs')).toBeUndefined();
    expect(importProblem('analysis/x.ts', 'node:fs')).toMatch(/pure/);
  });
});
