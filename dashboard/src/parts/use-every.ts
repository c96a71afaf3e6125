/** A number that changes at an interval while the page is seen. */
import { useEffect, useState } from 'preact/hooks';

export function useEvery(ms: number): number {
  const [beat, setBeat] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setBeat((now) => now + 1);
    }, ms);
    return () => clearInterval(timer);
  }, [ms]);
  return beat;
}
