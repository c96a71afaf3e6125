/** Which worker processes to start and to end for another number of them. Pure. */

export interface ScalingPlan {
  from: number;
  start: string[];
  retire: string[];
}

const nameOf = (number: number): string => `worker-${number}`;

/** `present`: names of all units. New workers take the lowest free numbers, the highest are ended first. */
export function planScaling(present: readonly string[], workers: number): ScalingPlan {
  const numbers = present
    .flatMap((name) => {
      const number = /^worker-(\d+)$/.exec(name)?.[1];
      return number === undefined ? [] : [Number(number)];
    })
    .sort((a, b) => a - b);
  const taken = new Set(numbers);
  const start: string[] = [];
  for (let number = 1; numbers.length + start.length < workers; number++)
    if (!taken.has(number)) start.push(nameOf(number));
  return { from: numbers.length, start, retire: numbers.slice(workers).map(nameOf) };
}
