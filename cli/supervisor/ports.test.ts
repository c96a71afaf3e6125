import { describe, expect, it } from 'vitest';
import { type ConfigSources, loadConfig } from '../config/mod.ts';
import { choosePorts } from './ports.ts';

const all = ['api', 'gateway', 'syslog', 'clickhouse', 'nats', 'redis'] as const;
const load = (options: ConfigSources['options'] = {}) => loadConfig({ cwd: '/', env: {}, options });
/** Each port is given once. */
const world = (...ports: number[]) => {
  const taken = new Set(ports);
  let any = 30_000;
  return (port: number) => {
    const given = port === 0 ? any++ : taken.has(port) ? undefined : port;
    if (given !== undefined) taken.add(given);
    return Promise.resolve(given);
  };
};

describe('ports of a cluster', () => {
  it('takes the defaults when they are free', async () => {
    const { ports, notices } = await choosePorts(load(), all, world());
    expect(ports).toMatchObject({ api: 8080, gateway: 8081, syslog: 5514, clickhouse: 8123, nats: 4222, redis: 6379 });
    expect(notices).toEqual([]);
  });

  it('moves a default that is taken, never onto another of its own', async () => {
    const { ports, notices } = await choosePorts(load(), all, world(8080, 4222));
    expect([ports.api, ports.gateway, ports.nats]).toEqual([8081, 8082, 4223]);
    expect(notices).toContain('Port 8080 is taken; api uses 8081.');
  });

  it('refuses a port that was asked for and is taken', async () => {
    const loaded = load({ 'ports.gateway': { value: '9000', option: '--port-gateway' } });
    await expect(choosePorts(loaded, all, world(9000))).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: 'Port 9000 for gateway (--port-gateway) is used by another program.',
    });
  });

  it('leaves a port that was asked for to who asked', async () => {
    const loaded = load({ 'ports.redis': { value: '4222', option: 'a' }, 'ports.nats': { value: '0', option: 'b' } });
    const { ports } = await choosePorts(loaded, all, world());
    expect([ports.redis, ports.nats]).toEqual([4222, 30_000]);
  });
});
