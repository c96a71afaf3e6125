/** `logweir status` as text: the cluster in one screen. Pure. */
import type { ClusterView } from '#coordinator/mod.ts';
import { short } from './progress.ts';
import { table } from './table.ts';

/** Services named at most; `--json` has all. */
const servicesShown = 10;

const bytes = (count: number): string => (count < 1_000 ? `${count} B` : `${short(count)}B`);
const rate = (perSecond: number): string => `${short(perSecond)}/s`;

/** Seconds behind the stream: the partition that is furthest behind. */
export const lagMs = (partitions: readonly { lagMs: number }[]): number =>
  partitions.reduce((most, partition) => Math.max(most, partition.lagMs), 0);

export function renderStatus(view: ClusterView): string {
  const owned = view.workers.reduce((sum, { beat }) => sum + beat.partitions.length, 0);
  const records = view.workers.reduce((sum, { beat }) => sum + beat.recordsPerSecond, 0);
  const lines = [
    `${view.partitions} partitions, ${owned} running on ${view.workers.length} workers${view.moving === 0 ? '' : `, ${view.moving} on the way`} (epoch ${view.epoch}, led by ${view.leader ?? 'nobody'})`,
    `${rate(records)} analysed${told(view)}`,
    '',
    ...table(
      [
        ['process', 'role', 'pid', 'partitions', 'records', 'lag', 'memory'],
        ...[...view.gateways, ...view.workers, ...view.others].map(({ beat }) => [
          beat.leaving ? `${beat.id} (draining)` : beat.id,
          beat.role,
          String(beat.pid),
          beat.role === 'worker' ? String(beat.partitions.length) : '',
          rate(beat.recordsPerSecond),
          beat.role === 'worker' ? `${lagMs(beat.partitions)} ms` : '',
          bytes(beat.rssBytes),
        ]),
      ],
      2,
    ),
    '',
    ...table([
      ['stream', 'messages', 'bytes', 'of'],
      ...view.streams.map((stream) => [
        stream.name,
        short(stream.messages),
        bytes(stream.bytes),
        bytes(stream.bytesMax),
      ]),
    ]),
  ];
  if (view.services.length > 0) {
    lines.push(
      '',
      ...table([
        ['service', 'records', 'errors'],
        ...view.services
          .slice(0, servicesShown)
          .map((service) => [service.service, rate(service.recordsPerSecond), rate(service.errorsPerSecond)]),
      ]),
    );
    if (view.services.length > servicesShown) lines.push(`  and ${view.services.length - servicesShown} more services`);
  }
  return `${lines.join('\n')}\n`;
}

/** `, 3 alerts fire, 1 incident open`; nothing while alerting is not heard of. */
function told({ others }: ClusterView): string {
  const alerting = others.find(({ beat }) => beat.role === 'alerting');
  if (alerting === undefined) return '';
  const { firingNow = 0, incidentsOpenNow = 0 } = alerting.beat.counters;
  const alerts = firingNow === 1 ? '1 alert fires' : `${firingNow} alerts fire`;
  return `, ${alerts}, ${incidentsOpenNow} ${incidentsOpenNow === 1 ? 'incident' : 'incidents'} open`;
}

/** The same as plain data with stable names, for `--json`. */
export function statusJson(view: ClusterView): unknown {
  return {
    partitions: view.partitions,
    leader: view.leader,
    epoch: view.epoch,
    moving: view.moving,
    processes: [...view.gateways, ...view.workers, ...view.others].map(({ beat }) => ({
      id: beat.id,
      role: beat.role,
      host: beat.host,
      pid: beat.pid,
      draining: beat.leaving,
      recordsPerSecond: beat.recordsPerSecond,
      rssBytes: beat.rssBytes,
      partitions: beat.partitions.map(({ partition }) => partition),
      lagMs: lagMs(beat.partitions),
      counters: beat.counters,
    })),
    streams: view.streams,
    services: view.services,
  };
}
