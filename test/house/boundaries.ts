/**
 * Who may import whom: the one copy of the rule, enforced by the lint plugin beside it and proved alive by
 * `boundaries.test.ts`, which plants violations. Other folders are reached through their doors (`mod.ts`) only.
 */

const pipeline = ['protocol', 'bus', 'analysis', 'ingest', 'workers', 'storage', 'coordinator', 'alerting', 'api'];

/** A folder name opens all its doors (`#bus/mod.ts`, `#analysis/templates/mod.ts`); a path opens that file alone. */
export const boundaries: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  bus: ['protocol'],
  analysis: ['protocol'],
  ingest: ['protocol', 'bus', 'analysis'],
  workers: ['protocol', 'bus', 'analysis'],
  storage: ['protocol', 'bus'],
  coordinator: ['protocol', 'bus', 'storage', 'workers'],
  alerting: ['protocol', 'bus', 'analysis'],
  api: ['protocol', 'storage', 'coordinator', 'alerting'],
  // Its build reports failures in the catalogue's words.
  dashboard: ['api/types.ts', 'protocol/errors.ts'],
  generator: ['protocol'],
  // It talks over the wire, and starts servers on ports of this machine.
  loadtest: ['protocol', 'generator', 'bus/host-ports.ts'],
  sim: [...pipeline, 'generator'],
  cli: [...pipeline, 'generator', 'loadtest', 'sim', 'dashboard/build.ts', 'bus/host-ports.ts'],
};

/**
 * Folders whose every file is a door. `protocol/` is only words, and a filter of the command line that needs
 * nothing but `errors.ts` starts 120 ms sooner without the codecs behind `protocol/mod.ts`.
 */
const open = new Set(['protocol']);

/** Code that must give the same answer for the same input: no I/O, no clock, no chance, no environment. */
export const pureFiles: readonly RegExp[] = [
  /^(protocol|analysis)\//,
  /^workers\/(partition|actor)[^/]*\.ts$/,
  /^workers\/(partition|actor)\//,
];

/** Tests and their fixtures may read files even beside pure code. */
const exempt = /(\.test\.tsx?$)|(\/testing\/)/;

export const isPure = (path: string): boolean => !exempt.test(path) && pureFiles.some((regex) => regex.test(path));

/** Modules of Node that only compute. */
const pureNodeModules = new Set(['node:buffer', 'node:util', 'node:util/types', 'node:assert', 'node:string_decoder']);

/**
 * Why the file at `path` (relative to the root, with `/`) may not import `specifier`; undefined when it may.
 */
export function importProblem(path: string, specifier: string): string | undefined {
  if (isPure(path) && specifier.startsWith('node:') && !pureNodeModules.has(specifier)) {
    return `${path} is pure: it may not import ${specifier}. Pass in what it needs.`;
  }
  // Benchmarks measure parts on their own, wherever those are.
  if (path.startsWith('loadtest/bench/')) return undefined;
  const folder = path.slice(0, path.indexOf('/'));
  const allowed = boundaries[folder];
  if (allowed === undefined) return undefined;
  if (specifier.startsWith('.')) {
    const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
    const targetFolder = target.slice(0, target.indexOf('/'));
    if (targetFolder === folder || target.indexOf('/') < 0) return undefined;
    return `Import ${targetFolder}/ as #${targetFolder}/mod.ts, not by a relative path.`;
  }
  if (!specifier.startsWith('#')) return undefined;
  const target = specifier.slice(1);
  const targetFolder = target.slice(0, target.indexOf('/'));
  if (allowed.includes(target)) return undefined;
  // Data for tests comes from the generator, wherever the test is; it depends on protocol/ alone.
  if (exempt.test(path) && target === 'generator/mod.ts') return undefined;
  // A folder's parts reach each other through their own doors.
  if (targetFolder === folder && target.endsWith('/mod.ts')) return undefined;
  if (!allowed.includes(targetFolder)) {
    const list = allowed.length === 0 ? 'no other folder' : `only ${allowed.join(', ')}`;
    return `${folder}/ may import ${list}; not ${targetFolder}/.`;
  }
  return target.endsWith('/mod.ts') || open.has(targetFolder)
    ? undefined
    : `Import ${targetFolder}/ through one of its doors (mod.ts).`;
}
