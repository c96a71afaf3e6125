/**
 * Builds the page into dist/dashboard, and only when it has to: a digest of everything that goes into it is kept
 * beside what came out. `ensureBuilt` is for the launcher; run directly, this file builds.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LogweirError } from '#protocol/errors.ts';

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(folder);
const output = join(root, 'dist', 'dashboard');
const digestName = '.digest';

/** What decides the result: the page's sources, the types it shares, and the versions of what it is built with. */
async function sourceFiles(): Promise<string[]> {
  const files = [join(folder, 'index.html'), join(folder, 'build.ts'), join(root, 'api', 'types.ts')];
  for (const part of ['src', 'public']) {
    for (const entry of await readdir(join(folder, part), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && !/\.test\.tsx?$/.test(entry.name)) files.push(join(entry.parentPath, entry.name));
    }
  }
  for (const name of ['preact', 'uplot', 'vite']) files.push(join(root, 'node_modules', name, 'package.json'));
  return files.sort();
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await sourceFiles()) {
    // A package may be missing where only a built page was shipped: then what is there is what is served.
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    hash.update(`${path.slice(root.length)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

async function storedDigest(): Promise<string | null> {
  return await readFile(join(output, digestName), 'utf8').catch(() => null);
}

async function build(digest: string): Promise<void> {
  const { build: viteBuild } = await import('vite');
  const fresh = `${output}.${process.pid}`;
  await mkdir(dirname(output), { recursive: true });
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'warn',
    publicDir: join(folder, 'public'),
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: fresh,
      emptyOutDir: true,
      target: 'es2023',
      sourcemap: false,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  });
  await writeFile(join(fresh, digestName), digest);
  // Built aside and moved into place, so that a reader never meets half a page.
  await rm(output, { recursive: true, force: true });
  await rename(fresh, output);
}

/**
 * Folder of the built page, built first when it is missing or older than its sources (a second or two).
 * @throws LogweirError SERVER_START_FAILED when it cannot be built
 */
export async function ensureBuilt(): Promise<string> {
  const stored = await storedDigest();
  // A shipped build without sources beside it is used as it is.
  const digest = await digestOfSources().catch(() => null);
  if (stored !== null && (digest === null || stored === digest)) return output;
  try {
    await build(digest ?? '');
  } catch (error) {
    throw new LogweirError(
      'SERVER_START_FAILED',
      `The dashboard could not be built: ${(error as Error).message}`,
      'Run `npm install`, then `npm run build:dashboard` to see the whole error.',
      { cause: error },
    );
  }
  return output;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(await digestOfSources());
  process.stdout.write(`${output}\n`);
}
