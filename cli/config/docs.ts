/** Renders docs/configuration.md from the schema; a test keeps the file equal. */
import type { Kind } from './kinds.ts';
import { environmentName, rawSections, schema } from './schema.ts';

const cell = (value: unknown): string =>
  value === undefined || value === '' ? '(unset)' : `\`${value as string | number | boolean}\``;

export function renderConfigDocs(): string {
  const lines = [
    '# Configuration',
    '',
    'Logweir reads one YAML file: `--config FILE`, or `logweir.yaml` in the current directory when it is there. Without',
    'a file the defaults below hold. It is checked as a whole at start: a wrong key or value ends the start with the',
    'file, the line, the key and what is allowed.',
    '',
    '- `${NAME}` and `${NAME:-default}` in a value take an environment variable; `$${NAME}` is the text `${NAME}`.',
    '- Every key can be set by the environment variable in its row, which is stronger than the file; options of the',
    '  command line (`--data-dir`, `--workers`, `--port-api` …) are stronger still.',
    '- Any of these variables also works with `_FILE` at its end and the path of a file that holds the value, as',
    '  container secrets do.',
    '- Ports: `0` takes any free port. `logweir up` moves a default port that is taken to the next free one and says so;',
    '  a port that you set and that is taken is an error.',
    '',
  ];
  for (const [section, kinds] of Object.entries(schema)) {
    lines.push(`## ${section}`, '', '| key | default | allowed | meaning | environment |', '|---|---|---|---|---|');
    for (const [key, kind] of Object.entries(kinds) as [string, Kind<unknown>][]) {
      const names = [environmentName(section, key), ...(kind.alias === undefined ? [] : [kind.alias])];
      const variables = names.map((name) => `\`${name}\``).join(', ');
      lines.push(`| \`${key}\` | ${cell(kind.fallback)} | ${kind.allowed} | ${kind.about} | ${variables} |`);
    }
    lines.push('');
  }
  for (const [section, about] of Object.entries(rawSections)) {
    lines.push(`## ${section}`, '', `${about} \`${environmentName(section)}\` takes the whole section as YAML.`, '');
  }
  return lines.join('\n');
}
