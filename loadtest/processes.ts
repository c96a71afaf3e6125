/** CPU time and peak memory of processes, from /proc; where there is none (not Linux), no process is seen. */
import { readFileSync } from 'node:fs';
import { hundredths } from './statistics.ts';

/** Of /proc/…/stat; fixed by the kernel's interface. */
const ticksPerSecond = 100;

export interface ProcessUse {
  name: string;
  pid: number;
  /** User and system, since the process began. */
  cpuSeconds: number;
  /** Since the process began. */
  peakRssMib: number;
  rssMib: number;
}

export interface ProcessCost extends ProcessUse {
  cpuSecondsPerMillion: number;
}

/** Null where there is no such process. */
export function readUse(name: string, pid: number): ProcessUse | null {
  try {
    return parseUse(name, pid, readFileSync(`/proc/${pid}/stat`, 'utf8'), readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return null;
  }
}

export function parseUse(name: string, pid: number, stat: string, status: string): ProcessUse {
  // The command may hold spaces and brackets: fields count from the last closing bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? '0';
  const rss = /VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? '0';
  return { name, pid, cpuSeconds, peakRssMib: Math.round(Number(peak) / 1024), rssMib: Math.round(Number(rss) / 1024) };
}

/** What each process used between two readings; one that was not there before counts from its start. */
export function costsBetween(before: readonly ProcessUse[], after: readonly ProcessUse[], logs: number): ProcessCost[] {
  return after.map((one) => {
    const earlier = before.find((other) => other.pid === one.pid);
    const cpuSeconds = hundredths(one.cpuSeconds - (earlier?.cpuSeconds ?? 0));
    return { ...one, cpuSeconds, cpuSecondsPerMillion: hundredths((cpuSeconds * 1e6) / Math.max(logs, 1)) };
  });
}
