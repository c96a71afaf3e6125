/** Reads a YAML file with `${NAME}` and `${NAME:-default}` filled in, and remembers the line of every key. */
import { isMap, isNode, isScalar, isSeq, LineCounter, parse, parseDocument, type Node, type Scalar, visit } from 'yaml';
import { LogweirError } from '#protocol/errors.ts';

export interface YamlFile {
  root: Readonly<Record<string, unknown>>;
  /** `file:line` of a path such as `a.b[0].c`, or of the nearest path above it. */
  place(path: string): string;
}

/** Value of an environment variable; `undefined` when it is not set. Throws where its `_FILE` cannot be read. */
export type Lookup = (name: string) => string | undefined;

const remedy = 'Correct that line; docs/configuration.md lists every key.';
const invalid = (message: string): LogweirError => new LogweirError('CONFIG_INVALID', message, remedy);

/** @throws LogweirError CONFIG_INVALID that names file and line. */
export function readYaml(name: string, source: string, lookup: Lookup): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number | undefined): string => `${name}:${lines.linePos(offset ?? 0).line || 1}`;
  const [error] = document.errors;
  if (error !== undefined) throw invalid(`${at(error.pos[0])}: this is no valid YAML: ${error.message}`);
  visit(document, {
    Scalar(key, node) {
      if (key !== 'key') fillIn(node, lookup, () => at(node.range?.[0]));
    },
  });
  const root: unknown = document.toJS() ?? {};
  if (typeof root !== 'object' || root === null || Array.isArray(root)) {
    throw invalid(`${name}:1: the file must hold sections such as "ports:", not a single value or a list.`);
  }
  return {
    root: root as Record<string, unknown>,
    place: (path) =>
      at(
        offsetOf(
          document.contents,
          path.split(/[.[\]]+/).filter((step) => step !== ''),
        ),
      ),
  };
}

const variable = /\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** `$${X}` stands for a literal `${X}`. A plain scalar is typed after filling in, a quoted one stays text. */
function fillIn(node: Scalar, lookup: Lookup, place: () => string): void {
  if (typeof node.value !== 'string' || !node.value.includes('${')) return;
  const filled = node.value.replace(variable, (whole, escaped: string | undefined, name: string, other?: string) => {
    if (escaped !== undefined) return whole.slice(1);
    const value = lookup(name) || other;
    if (value === undefined) {
      throw invalid(
        `${place()}: the environment variable ${name} is not set; write \${${name}:-default} to allow that.`,
      );
    }
    return value;
  });
  const typed: unknown =
    node.type === 'PLAIN' && filled !== '' ? parse(JSON_LIKE.test(filled) ? filled : '""') : filled;
  node.value = typed === '' ? filled : typed;
}

/** Numbers, booleans and null: the only plain scalars that are not text. */
const JSON_LIKE = /^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null)$/;

function offsetOf(contents: Node | null, path: readonly string[]): number | undefined {
  let node: unknown = contents;
  let offset: number | undefined;
  for (const step of path) {
    if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = isNode(node) ? (node.range?.[0] ?? offset) : offset;
      continue;
    }
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
    if (pair === undefined) break;
    offset = (pair.key as Scalar).range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}
