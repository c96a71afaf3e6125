/** The view as state, kept in the URL. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { formatView, parseView, type View } from './view.ts';

export type SetView = (change: Partial<View>, how?: 'push' | 'replace') => void;

export function useView(): [View, SetView] {
  const [view, setView] = useState<View>(() => parseView(location.search));
  useEffect(() => {
    const onBack = (): void => setView(parseView(location.search));
    addEventListener('popstate', onBack);
    return () => removeEventListener('popstate', onBack);
  }, []);
  const change = useCallback<SetView>((part, how = 'push') => {
    setView((current) => {
      const next = { ...current, ...part };
      const url = formatView(next);
      if (url !== formatView(current)) {
        if (how === 'push') history.pushState(null, '', url);
        else history.replaceState(null, '', url);
      }
      return next;
    });
  }, []);
  return [view, change];
}
