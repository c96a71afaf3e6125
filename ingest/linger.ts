/**
 * How long a gateway lets a batch gather. Small batches are dear (24 rows a batch cost three times the CPU of 500),
 * long waits delay alerts; so the linger follows the number of messages published.
 */
export const lingerMsMin = 5;
export const lingerMsMax = 40;
/** Messages a second between which the linger stays as it is. */
const messagesPerSecondLow = 400;
const messagesPerSecondHigh = 900;

/** Next linger, ms, from the present one and the messages published in the last second. */
export function adaptLinger(lingerMs: number, messagesPerSecond: number): number {
  if (messagesPerSecond > messagesPerSecondHigh) return Math.min(lingerMs * 1.5, lingerMsMax);
  if (messagesPerSecond < messagesPerSecondLow) return Math.max(lingerMs / 1.5, lingerMsMin);
  return lingerMs;
}
