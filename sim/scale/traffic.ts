/** Who logs how much: services by a power law over partitions, as the real partitioner spreads them. */
import { partitionOf } from '#protocol/mod.ts';

export interface TrafficShape {
  services: number;
  /** Exponent of the power law of service rates (Zipf): 1 is what companies see, 0 is even. */
  exponent: number;
  recordsPerSecond: number;
  partitions: number;
}

export interface Traffic {
  /** Records per second by partition. */
  byPartition: Float64Array;
  /** Records per second of the busiest service. */
  busiestService: number;
}

export function spreadServices({ services, exponent, recordsPerSecond, partitions }: TrafficShape): Traffic {
  const byPartition = new Float64Array(partitions);
  let total = 0;
  for (let rank = 1; rank <= services; rank++) total += rank ** -exponent;
  for (let rank = 1; rank <= services; rank++) {
    const rate = (recordsPerSecond * rank ** -exponent) / total;
    const partition = partitionOf(`service-${rank}`, partitions);
    byPartition[partition] = (byPartition[partition] as number) + rate;
  }
  return { byPartition, busiestService: recordsPerSecond / total };
}
