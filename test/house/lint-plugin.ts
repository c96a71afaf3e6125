/**
 * The project's own oxlint rules: `logweir/boundaries` (who may import whom) and `logweir/pure` (what pure code
 * may not read). They stand in a plugin because oxlint's `no-restricted-imports` has no "all but", and no
 * built-in rule tells `new Date()` from `new Date(ms)`.
 */
import { relative } from 'node:path';
import { importProblem, isPure } from './boundaries.ts';

interface Node {
  type: string;
  [key: string]: unknown;
}

interface RuleContext {
  filename: string;
  cwd: string;
  report(problem: { message: string; node: Node }): void;
}

const pathOf = (context: RuleContext): string => relative(context.cwd, context.filename).replaceAll('\\', '/');

const boundariesRule = {
  create(context: RuleContext) {
    const path = pathOf(context);
    const check = (node: Node): void => {
      const source = node['source'] as { value?: unknown } | null;
      if (typeof source?.value !== 'string') return;
      const message = importProblem(path, source.value);
      if (message !== undefined) context.report({ message, node });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      TSImportType: check,
    };
  },
};

const impureGlobals = new Set([
  'process',
  'performance',
  'fetch',
  'crypto',
  'console',
  'setTimeout',
  'setInterval',
  'setImmediate',
]);
const impureMembers = new Set(['Date.now', 'Math.random']);
const nameOf = (node: unknown): string => {
  const { type, name } = node as { type: string; name?: string };
  return type === 'Identifier' && name !== undefined ? name : '';
};

const pureRule = {
  create(context: RuleContext) {
    if (!isPure(pathOf(context))) return {};
    const report = (node: Node, what: string): void =>
      context.report({ message: `This code is pure: ${what} may not be used here. Pass in what it needs.`, node });
    return {
      NewExpression(node: Node) {
        if (nameOf(node['callee']) === 'Date' && (node['arguments'] as unknown[]).length === 0) {
          report(node, 'new Date() without a time');
        }
      },
      CallExpression(node: Node) {
        const name = nameOf(node['callee']);
        if (name === 'Date' || impureGlobals.has(name)) report(node, `${name}()`);
      },
      MemberExpression(node: Node) {
        const object = nameOf(node['object']);
        const member = `${object}.${nameOf(node['property'])}`;
        if (impureGlobals.has(object) || object === 'globalThis' || impureMembers.has(member)) report(node, member);
      },
    };
  },
};

export default { meta: { name: 'logweir' }, rules: { boundaries: boundariesRule, pure: pureRule } };
