import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { renderConfigDocs } from './docs.ts';
import { type ConfigSources, type LoadedConfig, loadConfig } from './load.ts';
import { environmentName } from './schema.ts';
import { checkSections } from './sections.ts';

const cwd = mkdtempSync(join(tmpdir(), 'logweir-config-'));
afterAll(() => rmSync(cwd, { recursive: true }));

function load(yaml: string, more: Partial<ConfigSources> = {}): LoadedConfig {
  writeFileSync(join(cwd, 'logweir.yaml'), yaml);
  return loadConfig({ cwd, env: {}, ...more });
}

function problems(yaml: string, more: Partial<ConfigSources> = {}): string {
  try {
    load(yaml, more);
  } catch (error) {
    if (error instanceof LogweirError) return error.message;
    throw error;
  }
  return '';
}

describe('configuration', () => {
  it('needs no file', () => {
    const { config, isSet, file } = loadConfig({ cwd: tmpdir(), env: {} });
    expect(config.ports.api).toBe(8080);
    expect(config.ports.bindHost).toBe('127.0.0.1');
    expect(config.cluster.partitions).toBeUndefined();
    expect(isSet('ports.api')).toBe(false);
    expect(file).toBeUndefined();
  });

  it('lets the environment win over the file and options over both', () => {
    const yaml = 'ports:\n  api: 1001\n  gateway: 1002\n  nats: 1003\n';
    const env = { LOGWEIR_PORTS_GATEWAY: '2002', LOGWEIR_PORTS_NATS: '2003', NATS_URL: 'nats://n:4222' };
    const options = { 'ports.nats': { value: '3003', option: '--port-nats' } };
    const { config, origin } = load(yaml, { env, options });
    expect([config.ports.api, config.ports.gateway, config.ports.nats]).toEqual([1001, 2002, 3003]);
    expect(config.servers.natsUrl).toBe('nats://n:4222');
    expect(['ports.api', 'ports.gateway', 'ports.nats', 'ports.redis'].map(origin)).toEqual([
      'logweir.yaml:2',
      'LOGWEIR_PORTS_GATEWAY',
      '--port-nats',
      'default',
    ]);
  });

  it('fills in variables, typed where they stand plain', () => {
    const yaml =
      'ports:\n  api: ${API_PORT:-9000}\nalerting:\n  a: "${N:-5}"\n  b: ${N:-5}\n  c: $${N}\n  d: x-${WORD}-y\n';
    const { config } = load(yaml, { env: { WORD: '${deep}: #1' } });
    expect(config.ports.api).toBe(9000);
    expect(config.alerting).toEqual({ a: '5', b: 5, c: '${N}', d: 'x-${deep}: #1-y' });
  });

  it('reads secrets from files', () => {
    const secret = join(cwd, 'secret');
    writeFileSync(secret, 'hunter2\n');
    const { config } = load('alerting:\n  password: ${SMTP_PASSWORD}\n', {
      env: { CLICKHOUSE_PASSWORD_FILE: secret, SMTP_PASSWORD_FILE: secret },
    });
    expect(config.servers.clickhousePassword).toBe('hunter2');
    expect(config.alerting).toEqual({ password: 'hunter2' });
    expect(() => load('', { env: { CLICKHOUSE_PASSWORD_FILE: '/nowhere' } })).toThrow('/nowhere does not exist');
  });

  it('takes a raw section from the environment', () => {
    const { config } = load('analysis:\n  x: 1\n', { env: { LOGWEIR_ANALYSIS: 'windows:\n  lengthMs: 10000' } });
    expect(config.analysis).toEqual({ windows: { lengthMs: 10000 } });
  });

  it.each([
    ['prots:\n  api: 1\n', 'logweir.yaml:1: there is no section "prots". Did you mean "ports"?'],
    ['ports:\n\n  gatway: 1\n', 'logweir.yaml:3: there is no key "ports.gatway". Did you mean "gateway"?'],
    ['gateway:\n  x: 1\n', 'Keys of gateway are bodyBytesMax, pendingBytesMax, '],
    ['ports:\n  api: 70000\n', 'logweir.yaml:2: ports.api must be a whole number from 0 to 65535, not 70000.'],
    ['ports:\n  api: "x"\n', 'not "x"'],
    ['ports: 5\n', 'logweir.yaml:1: section "ports" must hold keys'],
    ['- 1\n', 'logweir.yaml:1: the file must hold sections'],
    ['ports:\n  api: [1\n', 'logweir.yaml:3: this is no valid YAML'],
    ['ports:\n  api: 1\n  api: 2\n', 'logweir.yaml:3: this is no valid YAML: Map keys must be unique'],
    ['ports:\n  api: ${NOPE}\n', 'logweir.yaml:2: the environment variable NOPE is not set'],
    ['ports:\n  api: 8081\n', 'ports.gateway and ports.api are both 8081'],
    [
      'cluster:\n  partitions: 2\n  workers: 3\n',
      'logweir.yaml:3: cluster.workers (3) must not be more than cluster.partitions (2)',
    ],
    ['cluster:\n  leaseMs: 1500\n', 'at least four heartbeats'],
    ['storage:\n  rollupsTtlDays: 7\n', 'must not be less than storage.logsTtlDays (30)'],
    ['servers:\n  natsUrl: localhost:4222\n', 'must be a URL that starts with nats:// or tls://'],
    ['cluster:\n  retainLogs: maybe\n', 'must be true or false, not "maybe"'],
  ])('refuses %j', (yaml, message) => {
    expect(problems(yaml)).toContain(message);
  });

  it('names every problem, and slips in the environment', () => {
    const message = problems('ports:\n  api: x\n  nats: y\n', { env: { LOGWEIR_PORTS_GATWAY: '1' } });
    expect(message.split('\n')).toHaveLength(3);
    expect(message).toContain(
      'LOGWEIR_PORTS_GATWAY: this environment variable sets nothing. Did you mean "LOGWEIR_PORTS_GATEWAY"?',
    );
  });

  it.each([
    ['analysis:\n  windows:\n    sizeMs: soon\n', 'logweir.yaml:3: analysis.windows.sizeMs is "soon"'],
    ['ports:\n  api: 1\nalerting:\n  chanels: []\n', 'logweir.yaml:4: alerting.chanels is no known key.'],
    [
      'alerting:\n  channels:\n    - name: a\n      webhook:\n        url: nowhere\n',
      /^logweir\.yaml:[345]: alerting\.channels\[0\]/,
    ],
  ])('places problems that analysis and alerting find in %j', async (yaml, message) => {
    await expect(checkSections(load(yaml))).rejects.toThrow(message);
  });

  it('takes sections that are right, or not there', async () => {
    await expect(checkSections(load('ports:\n  api: 1\n'))).resolves.toBeUndefined();
  });

  it('names a missing file', () => {
    expect(() => loadConfig({ cwd, env: {}, file: 'other.yaml' })).toThrow(/other\.yaml does not exist/);
  });

  it('is documented key by key in docs/configuration.md', async () => {
    expect(environmentName('gateway', 'bodyBytesMax')).toBe('LOGWEIR_GATEWAY_BODY_BYTES_MAX');
    await expect(renderConfigDocs()).toMatchFileSnapshot('../../docs/configuration.md');
  });
});
