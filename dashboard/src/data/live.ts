/** The live stream as state: rates of the last two minutes, and a pulse that says when to fetch again. */
import type { RateSample } from '#api/types.ts';
import { useEffect, useRef, useState } from 'preact/hooks';

export const samplesMax = 120;
/** How often a view that follows the clock is fetched anew, ms: a minute's rollup moves slowly enough. */
const followEveryMs = 5000;
/** Findings come in bursts; one fetch answers them all. */
const gatherMs = 250;
/** A finding is told before it is stored; what the first fetch came too early for, the second brings. */
const storedMs = 1500;

export interface Live {
  connected: boolean;
  samples: RateSample[];
  /** Changes when a view that follows the clock should be fetched anew. */
  pulse: number;
}

export function useLive(follow: boolean): Live {
  const [connected, setConnected] = useState(false);
  const [samples, setSamples] = useState<RateSample[]>([]);
  const [pulse, setPulse] = useState(0);
  const following = useRef(follow);
  following.current = follow;

  useEffect(() => {
    let gathering: ReturnType<typeof setTimeout> | undefined;
    let storing: ReturnType<typeof setTimeout> | undefined;
    let wasOpen = false;
    const beat = (): void => {
      if (following.current && !document.hidden) setPulse((now) => now + 1);
    };
    const soon = (): void => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        beat();
      }, gatherMs);
    };
    const found = (): void => {
      soon();
      clearTimeout(storing);
      storing = setTimeout(beat, storedMs);
    };
    const source = new EventSource('/api/v1/live');
    source.onopen = () => {
      setConnected(true);
      // After a gap, what was missed is fetched.
      if (wasOpen) soon();
      wasOpen = true;
    };
    source.onerror = () => setConnected(false);
    source.addEventListener('rate', (event) => {
      const { sample } = JSON.parse((event as MessageEvent<string>).data) as { sample: RateSample };
      setSamples((now) => [...now.slice(1 - samplesMax), sample]);
    });
    for (const name of ['anomaly', 'alert', 'incident', 'dropped']) source.addEventListener(name, found);
    const timer = setInterval(beat, followEveryMs);
    const onVisible = (): void => {
      if (!document.hidden) soon();
    };
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      source.close();
      clearInterval(timer);
      clearTimeout(gathering);
      clearTimeout(storing);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, []);
  return { connected, samples, pulse };
}
