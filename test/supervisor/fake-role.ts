/** A role for the supervisor's tests: ready at once, notes its life in `order.log`, and fails where a file says so. */
import { appendFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { runRole } from '#cli/role.ts';

const [, , role = '', ...rest] = process.argv;
const option = (name: string): string => rest[rest.indexOf(name) + 1] ?? '';
const dataDir = option('--data-dir');
const id = option('--id');
const note = (text: string): void => appendFileSync(join(dataDir, 'order.log'), `${text} ${id}\n`);

/** Whether a test asked for this behaviour, once. */
function asked(behaviour: string): boolean {
  const file = join(dataDir, `${id}.${behaviour}`);
  if (!existsSync(file)) return false;
  rmSync(file);
  return true;
}

if (asked('refuse')) {
  process.stderr.write('logweir: The sky is green.\n  Paint it blue.\n');
  process.exit(2);
}
const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
const failed = new Promise<never>((_, reject) => {
  const timer = setInterval(() => asked('crash') && reject(new Error('crashed as asked')), 20);
  controller.signal.addEventListener('abort', () => clearInterval(timer));
});
const code = await runRole({ name: role, signal: controller.signal, note: console.error }, () => {
  note('start');
  return Promise.resolve({
    facts: { role, natsUrl: process.env['NATS_URL'], clickhouseUrl: process.env['CLICKHOUSE_URL'] },
    failed,
    stop: () => {
      note('stop');
      return Promise.resolve();
    },
  });
});
process.exit(code);
