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
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, tlsRequired } = config.receivers;
  if ((tlsCertFile === '') !== (tlsKeyFile === '')) {
    const [set, unset] = tlsCertFile === '' ? ['tlsKeyFile', 'tlsCertFile'] : ['tlsCertFile', 'tlsKeyFile'];
    problems.push(`${origin(`receivers.${set}`)}: receivers.${set} needs receivers.${unset} beside it.`);
  }
  for (const [key, isSet] of Object.entries({ tlsClientCaFile: tlsClientCaFile !== '', tlsRequired })) {
    if (isSet && tlsCertFile === '')
      problems.push(`${origin(`receivers.${key}`)}: receivers.${key} needs receivers.tlsCertFile and tlsKeyFile.`);
  }
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
