/** Reports for people. */
import { type FaultsReport, faultsLines } from './faults/report.ts';
import type { LatencyReport } from './latency.ts';
import type { Machine } from './scenario.ts';
import type { ScaleOutReport } from './scale-out.ts';
import type { Summary } from './statistics.ts';
import type { OverloadReport } from './overload.ts';
import { table, thousands } from './table.ts';
import type { ThroughputReport } from './throughput.ts';

export type Report = ThroughputReport | LatencyReport | ScaleOutReport | OverloadReport | FaultsReport;

export function render(report: Report): string {
  const lines = [...bodyOf(report), '', machineLine(report.machine)];
  for (const problem of report.problems) lines.push(`PROBLEM: ${problem}`);
  return `${lines.join('\n')}\n`;
}

function bodyOf(report: Report): string[] {
  switch (report.scenario) {
    case 'throughput':
      return throughputLines(report);
    case 'latency':
      return latencyLines(report);
    case 'scale-out':
      return scaleOutLines(report);
    case 'overload':
      return overloadLines(report);
    default:
      return faultsLines(report);
  }
}

function throughputLines(report: ThroughputReport): string[] {
  return [
    `${thousands(report.logsPerSecond)} logs/s from the first POST to the last queryable row (${report.totalSeconds} s)`,
    `${thousands(report.acceptedPerSecond)} logs/s acknowledged (${report.loadSeconds} s of load, ${report.connections} connections, ` +
      `${report.linesPerPost} lines of ${report.bytesPerLine} bytes a POST, workers: ${report.workers})`,
    countsLine(report),
    busiestLine(report),
    '',
    ...table(['ms', 'count', 'p50', 'p95', 'p99', 'max'], [summaryRow('POST to answer', report.postMs)]),
    '',
    ...costLines(report),
  ];
}

/** Near 1 it is the ceiling: records of one service pass one core of a gateway, a worker and the storage writer. */
function busiestLine({ oneService, processes, totalSeconds }: ThroughputReport): string {
  const from = oneService ? 'All records came from one service.' : 'Records came from about forty services.';
  const shares = processes
    .map(({ name, cpuSeconds }): [string, number] => [name, cpuSeconds / totalSeconds])
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name, share]) => `${name} ${share.toFixed(2)}`);
  return shares.length === 0 ? from : `${from} Busiest, in cores: ${shares.join(', ')}.`;
}

function latencyLines(report: LatencyReport): string[] {
  const bar = report.withinBar ? 'within' : 'NOT within';
  return [
    `${report.alerts} of ${report.probes} alerts at ${thousands(report.acceptedPerSecond)} logs/s (asked: ` +
      `${thousands(report.ratePerSecond)}); p99 from event to alert is ${bar} ${report.barMs} ms`,
    countsLine(report),
    '',
    ...table(
      ['ms', 'count', 'p50', 'p95', 'p99', 'max'],
      [
        summaryRow('event → gateway', report.eventToGatewayMs),
        summaryRow('gateway → processing', report.gatewayToProcessingMs),
        summaryRow('processing → alert', report.processingToAlertMs),
        summaryRow('  processing → detected', report.processingToDetectedMs),
        summaryRow('  detected → alert', report.detectedToAlertMs),
        summaryRow('total', report.totalMs),
        summaryRow('POST to answer', report.postMs),
      ],
    ),
    `A load request was sent at most ${report.latestMs} ms late.`,
    '',
    ...costLines(report),
  ];
}

function scaleOutLines(report: ScaleOutReport): string[] {
  const rows = report.runs.map((run) => {
    const workers = run.processes.filter((one) => one.name.startsWith('worker'));
    const spread = workers.map((one) => one.cpuSeconds.toFixed(1)).join(' + ');
    return [
      String(run.workers),
      thousands(run.logsPerSecond),
      `${run.speedup.toFixed(2)}×`,
      run.cpuSecondsPerMillion.toFixed(2),
      spread,
      String(run.lost),
    ];
  });
  return table(['workers', 'logs/s', 'against 1', 'CPU s/M', 'CPU s of workers', 'lost'], rows);
}

function overloadLines(report: OverloadReport): string[] {
  const { capacityPerSecond, offeredPerSecond, acceptedPerSecond, offeredTimes, seconds, accepted, lost } = report;
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  const quiet = ([name, one]: [string, OverloadReport['alone']]): string[] => [
    name,
    String(one.requests),
    percent(one.firstShare),
    percent(one.successShare),
    ...[one.postMs?.p50, one.postMs?.p95, one.postMs?.p99, one.postMs?.max].map((value) => value?.toFixed(0) ?? '-'),
  ];
  return [
    `${thousands(offeredPerSecond)} records/s offered by one source for ${seconds} s: ${offeredTimes} times the ${thousands(capacityPerSecond)} that can be taken; ` +
      `${thousands(acceptedPerSecond)} of them were`,
    `${thousands(accepted)} records acknowledged, or read from connections, of all senders; ${lost} lost`,
    '',
    ...table(
      ['noisy source', 'offered', 'taken', 'unanswered', 'answers'],
      report.noisy.map((one) => [
        one.protocol,
        thousands(one.offered),
        one.protocol === 'gelf' ? '-' : thousands(one.accepted),
        thousands(one.unknown),
        Object.entries(one.statuses)
          .map(([status, count]) => `${status}: ${count}`)
          .join(', '),
      ]),
    ),
    '',
    ...table(
      ['neighbours', 'requests', 'at once', 'taken', 'p50 ms', 'p95', 'p99', 'max'],
      [quiet(['alone', report.alone]), quiet(['beside the noisy one', report.beside])],
    ),
    '',
    `Refused by the gateway: ${Object.entries(report.refused)
      .map(([name, count]) => `${name} ${thousands(count)}`)
      .join(', ')}`,
    '',
    ...table(
      ['memory, MiB', 'start', 'end', 'max', 'per minute', ''],
      report.memory.map((one) => [
        one.name,
        String(one.startMib),
        String(one.endMib),
        String(one.maxMib),
        one.mibPerMinute.toFixed(1),
        one.isFlat ? 'flat' : 'GROWS',
      ]),
    ),
  ];
}

function countsLine(report: ThroughputReport | LatencyReport): string {
  const { accepted, stored, lost, extra, refused, unknown } = report;
  const more =
    refused + unknown === 0 ? '' : `; ${refused} requests refused and sent again, ${unknown} records unanswered`;
  return `${thousands(accepted)} accepted, ${thousands(stored)} stored, ${lost} lost, ${extra} too many${more}`;
}

function costLines({ processes, cpuSecondsPerMillion }: ThroughputReport | LatencyReport): string[] {
  if (processes.length === 0) return ['CPU and memory of processes are measured on Linux only.'];
  const rows = processes.map((one) => [
    one.name,
    one.cpuSecondsPerMillion.toFixed(2),
    one.cpuSeconds.toFixed(1),
    String(one.peakRssMib),
  ]);
  const cpuSeconds = processes.reduce((sum, one) => sum + one.cpuSeconds, 0);
  rows.push(['total', cpuSecondsPerMillion.toFixed(2), cpuSeconds.toFixed(1), '']);
  return table(['process', 'CPU s per million logs', 'CPU s', 'peak RSS MiB'], rows);
}

function summaryRow(name: string, summary: Summary | null): string[] {
  if (summary === null) return [name, '0', '-', '-', '-', '-'];
  const { count, p50, p95, p99, max } = summary;
  return [name, String(count), ...[p50, p95, p99, max].map((value) => value.toFixed(1))];
}

function machineLine({ cpus, cpuModel, memoryGib, node, platform }: Machine): string {
  return `Measured with the generator on the same machine: ${cpus} × ${cpuModel}, ${memoryGib} GiB, ${platform}, Node ${node}`;
}
