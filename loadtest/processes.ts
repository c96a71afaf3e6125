/** CPU time and peak memory of processes, from /proc (Linux). */
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;

export interface ProcessUse {
  name: string;
  pid: number;
  cpuSeconds: number;
  peakRssMib: number;
}

export function readUse(name: string, pid: number): ProcessUse | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces: fields count from the closing bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
    return { name, pid, cpuSeconds, peakRssMib: Math.round(Number(peak) / 1024) };
  } catch {
    return null;
  }
}

/** Use between two readings; processes that were not there before count from their start. */
export function useBetween(before: readonly ProcessUse[], after: readonly ProcessUse[]): ProcessUse[] {
  return after.map((one) => {
    const earlier = before.find((other) => other.pid === one.pid);
    return { ...one, cpuSeconds: one.cpuSeconds - (earlier?.cpuSeconds ?? 0) };
  });
}

export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
}
