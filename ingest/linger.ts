/**
 * How long a gateway lets a batch gather. Small batches are dear (24 rows a batch cost three times the CPU of 500),
 * long waits delay answers; so the linger follows the number of messages published. Errors do not wait for it.
 */
export const lingerMsMin = 5;
export const lingerMsMax = 80;
/** … and where so many records come that batches would stay small over many partitions: nobody is kept waiting by less. */
export const lingerMsMaxBusy = 120;
const busyRecordsPerSecond = 50_000;
/** Messages a second between which the linger stays as it is. */
const messagesPerSecondLow = 250;
const messagesPerSecondHigh = 500;

/** Next linger, ms, from the present one and what was published in the last second. */
export function adaptLinger(lingerMs: number, messagesPerSecond: number, recordsPerSecond: number): number {
  const max = recordsPerSecond > busyRecordsPerSecond ? lingerMsMaxBusy : lingerMsMax;
  if (messagesPerSecond > messagesPerSecondHigh || lingerMs > max) return Math.min(lingerMs * 1.5, max);
  if (messagesPerSecond < messagesPerSecondLow) return Math.max(lingerMs / 1.5, lingerMsMin);
  return lingerMs;
}
