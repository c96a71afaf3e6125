/** What must hold between keys. Each problem names both keys and where they stand. */
import { heartbeatEveryMs } from '#protocol/heartbeat.ts';
import { partitionsDefault } from '#protocol/limits.ts';
import type { Config } from './schema.ts';

export function checkAcross(config: Config, origin: (path: string) => string): string[] {
  const problems: string[] = [];
  const { cluster, ports, storage } = config;
  if (cluster.workers > (cluster.partitions ?? partitionsDefault)) {
    problems.push(
      `${origin('cluster.workers')}: cluster.workers (${cluster.workers}) must not be more than cluster.partitions (${cluster.partitions ?? partitionsDefault}), or some would have nothing to do.`,
    );
  }
  if (cluster.leaseMs < 4 * heartbeatEveryMs) {
    problems.push(
      `${origin('cluster.leaseMs')}: cluster.leaseMs (${cluster.leaseMs}) must be at least four heartbeats (${4 * heartbeatEveryMs} ms), or a leader loses the lead by one slow answer.`,
    );
  }
  if (storage.rollupsTtlDays < storage.logsTtlDays) {
    problems.push(
      `${origin('storage.rollupsTtlDays')}: storage.rollupsTtlDays (${storage.rollupsTtlDays}) must not be less than storage.logsTtlDays (${storage.logsTtlDays}), or trends would end before their logs.`,
    );
  }
  for (const section of ['gateway', 'receivers'] as const) problems.push(...tlsProblems(config, section, origin));
  const byPort = new Map<number, string>();
  for (const [key, value] of Object.entries(ports)) {
    if (typeof value !== 'number' || value === 0) continue;
    const other = byPort.get(value);
    if (other !== undefined)
      problems.push(`${origin(`ports.${key}`)}: ports.${key} and ports.${other} are both ${value}.`);
    byPort.set(value, key);
  }
  return problems;
}

function tlsProblems(config: Config, section: 'gateway' | 'receivers', origin: (path: string) => string): string[] {
  const problems: string[] = [];
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, tlsRequired } = config[section];
  const told = (key: string, needs: string): void => {
    problems.push(`${origin(`${section}.${key}`)}: ${section}.${key} needs ${section}.${needs}.`);
  };
  if (tlsCertFile !== '' && tlsKeyFile === '') told('tlsCertFile', 'tlsKeyFile beside it');
  if (tlsCertFile === '' && tlsKeyFile !== '') told('tlsKeyFile', 'tlsCertFile beside it');
  if (tlsCertFile !== '') return problems;
  if (tlsClientCaFile !== '') told('tlsClientCaFile', 'tlsCertFile and tlsKeyFile');
  if (tlsRequired) told('tlsRequired', 'tlsCertFile and tlsKeyFile');
  return problems;
}
