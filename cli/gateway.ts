/** `logweir gateway`: receives logs over HTTP and puts them on the stream. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import process from 'node:process';
import { DeadLetterSink, thisHost } from '#bus/mod.ts';
import { Gateway, type ListeningName, listeningNames, parseRates, Quotas, Sockets } from '#ingest/mod.ts';
import { Gate } from '#ingest/pipeline/mod.ts';
import { LogweirError } from '#protocol/errors.ts';
import type { Command } from './command.ts';
import type { Config } from './config/mod.ts';
import { runRole } from './role.ts';
import { pipelineOf, receiverPorts } from './config/mod.ts';
import type { Settings } from './settings.ts';
import { prometheusText, startHeartbeat } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';

export const command: Command = {
  about: 'Receives logs over HTTP and gRPC, cuts them into batches by service, and answers once the stream has them.',
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, facts, config, settings, id, time, watch, log } = await joinForLong(ctx);
      const start = `${process.pid}.${time.now().toString(36)}`;
      const dead = new DeadLetterSink(bus, time, `${id}.d.${start}`);
      const quotas = quotasOf(config);
      const gate = new Gate(await pipelineOf(settings, ctx.cwd), dead, time.now);
      const gateway: Gateway = new Gateway({
        bus,
        partitions: facts.partitions,
        host: config.ports.bindHost,
        port: config.ports.gateway,
        receiverPorts: receiverPortsOf(settings),
        time,
        id: `${id}.${start}`,
        limits: { bodyBytesMax: config.gateway.bodyBytesMax },
        pendingBytesMax: config.gateway.pendingBytesMax,
        connectionsMax: config.gateway.connectionsMax,
        connectionsPerAddressMax: config.gateway.connectionsPerAddressMax,
        trustProxy: trustedProxies(config),
        ...(quotas === undefined ? {} : { quotas }),
        tokens: {
          splunk: tokensOf(config.gateway.splunkTokens),
          datadog: tokensOf(config.gateway.datadogKeys),
          firehose: tokensOf(config.gateway.firehoseKeys),
        },
        tls: tlsOf(config, 'gateway'),
        dead,
        gate,
        metrics: () => prometheusText('gateway', counters()) + dead.metrics() + gate.metrics(),
      });
      const counters = (): Record<string, number> => {
        const { publisher, counts } = gateway;
        return {
          ...counts,
          ...refusedOf(gateway),
          ...sum(publisher.counts, sockets.publisher.counts),
          pendingBytes: publisher.pendingBytes + sockets.publisher.pendingBytes,
          ...sockets.counters(),
          deadLetters: dead.counts.set,
          deadLettersDropped: dead.counts.dropped,
          ...gate.counters(),
          lingerMs: publisher.currentLingerMs,
        };
      };
      const sockets = new Sockets({
        bus,
        partitions: facts.partitions,
        host: config.ports.bindHost,
        ports: openPorts(settings),
        time,
        id: `${id}.s.${start}`,
        pendingBytesMax: config.receivers.pendingBytesMax,
        limits: {
          connectionsMax: config.receivers.connectionsMax,
          connectionsPerAddressMax: config.receivers.connectionsPerAddressMax,
          idleMs: config.receivers.idleMs,
        },
        tls: tlsOf(config, 'receivers'),
        nats: config.receivers.nats,
        ...(quotas === undefined ? {} : { quotas }),
        dead,
        gate,
        settings: {
          utcOffsetMinutes: config.receivers.syslogUtcOffsetMinutes,
          sharedKey: config.receivers.forwardSharedKey,
          hostName: thisHost.name,
        },
      });
      for (const { name, port } of await sockets.start())
        log(`Port ${port} (${name}) is used by another program and is not listened on.`);
      await gateway.start();
      for (const name of httpPorts)
        if (gateway.ports[name] === undefined)
          log(`Port ${config.ports[name]} (${name}) is used by another program and is not listened on.`);
      const stopBeating = startHeartbeat(bus, 'gateway', id, 'records', counters);
      return {
        facts: { port: gateway.port, ports: { ...gateway.ports, ...sockets.ports } },
        failed: watch.failed,
        stop: async () => {
          watch.stop();
          await Promise.all([gateway.stop(), sockets.stop()]);
          await dead.settle();
          stopBeating();
          await bus.close();
        },
      };
    }),
};

const tokensOf = (text: string): string[] => text.split(/[\s,]+/).filter((token) => token !== '');
/** Undefined where there are none: then nothing is counted. */
function quotasOf({ quotas }: Config): { sources: Quotas; services: Quotas } | undefined {
  if (quotas.sources === '' && quotas.services === '') return undefined;
  return { sources: quotaOf('sources', quotas.sources), services: quotaOf('services', quotas.services) };
}

/** @throws LogweirError CONFIG_INVALID */
function quotaOf(key: string, text: string): Quotas {
  try {
    return new Quotas(parseRates(text));
  } catch (cause) {
    const example = 'such as "web-*=500,1000000; *=2000"';
    throw new LogweirError('CONFIG_INVALID', `quotas.${key}: ${(cause as Error).message}.`, `Correct it, ${example}.`, {
      cause,
    });
  }
}

/** @throws LogweirError CONFIG_INVALID */
function trustedProxies({ gateway }: Config): string | false {
  const parts = gateway.trustProxy.split(',').map((part) => part.trim());
  for (const part of parts) {
    const [address = '', bits] = part.split('/', 2);
    if (part === '' || (isIP(address) !== 0 && (bits === undefined || /^\d{1,3}$/.test(bits)))) continue;
    throw new LogweirError(
      'CONFIG_INVALID',
      `gateway.trustProxy: "${part}" is no address or network.`,
      'Write addresses such as 10.0.0.5 or 10.0.0.0/8, by comma.',
    );
  }
  return gateway.trustProxy === '' ? false : parts.join(',');
}

function refusedOf({ admission, connections }: Gateway): Record<string, number> {
  const { full, share, sourceQuota, serviceQuota } = admission.refused;
  return {
    refusedFull: full,
    refusedShare: share,
    refusedSourceQuota: sourceQuota,
    refusedServiceQuota: serviceQuota,
    sourcesHeldNow: admission.held.sources,
    quotaBucketsNow: admission.buckets,
    connectionsNow: connections.now,
    connectionsRefused: connections.refused,
  };
}

const httpPorts = receiverPorts.filter((name) => !listeningNames.some((other) => other === name));

/** A port that nobody asked for by name may be taken, by another gateway of this machine for one. */
function receiverPortsOf({ config, isSet }: Settings): Record<string, { port: number; mayBeTaken: boolean }> {
  return Object.fromEntries(
    httpPorts.map((name) => [name, { port: config.ports[name], mayBeTaken: !isSet(`ports.${name}`) }]),
  );
}

/** Listening receivers that are wanted, and where. */
function openPorts({ config, isSet }: Settings): Partial<Record<ListeningName, { port: number; mayBeTaken: boolean }>> {
  const { receivers, ports } = config;
  const portOf = (name: ListeningName) => {
    const mayBeTaken = !isSet(`ports.${name}`);
    return { port: mayBeTaken && ports.gateway === 0 ? 0 : ports[name], mayBeTaken };
  };
  return Object.fromEntries(listeningNames.filter((name) => receivers[name]).map((name) => [name, portOf(name)]));
}

/** @throws LogweirError CONFIG_INVALID */
function tlsOf(config: Config, section: 'gateway' | 'receivers'): ConstructorParameters<typeof Sockets>[0]['tls'] {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, tlsRequired } = config[section];
  if (tlsCertFile === '') return undefined;
  return {
    cert: pem(`${section}.tlsCertFile`, tlsCertFile),
    key: pem(`${section}.tlsKeyFile`, tlsKeyFile),
    clientCa: tlsClientCaFile === '' ? '' : pem(`${section}.tlsClientCaFile`, tlsClientCaFile),
    required: tlsRequired,
  };
}

function pem(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LogweirError(
      'CONFIG_INVALID',
      `${key} cannot be read: ${(cause as Error).message}.`,
      'Name a PEM file that this user may read.',
      { cause },
    );
  }
}

function sum<T extends Record<string, number>>(one: T, other: T): Record<string, number> {
  return Object.fromEntries(Object.entries(one).map(([name, value]) => [name, value + (other[name] ?? 0)]));
}
