/** Where members of an incident lie along its time, in percent. Pure. */
import type { IncidentMember } from '#api/types.ts';

interface Stretch {
  left: number;
  width: number;
}

/** Narrower ones would not be seen. */
const widthMin = 0.8;

export function barOf(
  { onsetFromMs, onsetByMs, endMs }: Pick<IncidentMember, 'onsetFromMs' | 'onsetByMs' | 'endMs'>,
  startedMs: number,
  endedMs: number,
): { onset: Stretch; rest: Stretch } {
  const spanMs = Math.max(1, endedMs - startedMs);
  const place = (ms: number): number => Math.min(100, Math.max(0, ((ms - startedMs) / spanMs) * 100));
  const stretch = (fromMs: number, toMs: number, least: number): Stretch => {
    const width = Math.max(least, place(toMs) - place(fromMs));
    return { left: Math.min(place(fromMs), 100 - width), width };
  };
  return {
    onset: stretch(onsetFromMs, onsetByMs, 0),
    rest: stretch(onsetByMs, Math.max(onsetByMs, endMs), widthMin),
  };
}

/** Its beginning, middle and end. */
export function ticksOf(startedMs: number, endedMs: number): { atMs: number; left: number }[] {
  return [0, 50, 100].map((left) => ({ left, atMs: startedMs + ((endedMs - startedMs) * left) / 100 }));
}
