/** Hosts that the records of a batch came from, by their resource attributes. */
import { type RecordBatch, uint16At } from '#protocol/mod.ts';

/** What senders call it, by OpenTelemetry's convention first. */
const keys: readonly string[] = ['host.name', 'k8s.pod.name', 'host', 'hostname', 'k8s.node.name'];
const hostCharsMax = 120;

export class BatchHosts {
  private readonly index: Uint8Array;
  /** By entry of the dictionary. */
  private readonly hosts: string[];
  readonly any: boolean;

  constructor({ values, index }: NonNullable<RecordBatch['resource']>) {
    this.index = index;
    this.hosts = values.map(hostIn);
    this.any = this.hosts.some((host) => host !== '');
  }

  of(row: number): string {
    return this.hosts[uint16At(this.index, row)] ?? '';
  }
}

function hostIn(pairs: readonly string[]): string {
  for (const key of keys)
    for (let i = 0; i + 1 < pairs.length; i += 2)
      if (pairs[i] === key) return (pairs[i + 1] as string).slice(0, hostCharsMax);
  return '';
}
