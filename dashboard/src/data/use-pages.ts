/** A keyset-paged list as state: the first page follows the clock, further ones are added below on request. */
import type { Page } from '#api/types.ts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, getJson } from './fetch.ts';
import { useResource } from './use-resource.ts';

export interface Pages<T, P extends Page<T>> {
  first: P | null;
  items: T[];
  more: boolean;
  error: ApiError | null;
  loading: boolean;
  loadingMore: boolean;
  loadMore: () => void;
}

/** @param path with its query. While further pages are open the first one is left alone, so that nothing is shown twice. */
export function usePages<T, P extends Page<T> = Page<T>>(path: string, pulse: number): Pages<T, P> {
  const [further, setFurther] = useState<{ path: string; items: T[]; next: string | null } | null>(null);
  const [failed, setFailed] = useState<ApiError | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const present = useRef(path);
  present.current = path;
  const held = useRef(pulse);
  const open = further !== null && further.path === path;
  if (!open) held.current = pulse;
  const { data, error, loading } = useResource<P>(path, held.current);
  useEffect(() => {
    setFurther(null);
    setFailed(null);
  }, [path]);
  const next = open ? further.next : (data?.next ?? null);
  const loadMore = (): void => {
    if (next === null || loadingMore) return;
    setLoadingMore(true);
    getJson<P>(`${path}${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(next)}`).then(
      (page) => {
        setLoadingMore(false);
        setFailed(null);
        if (present.current !== path) return;
        setFurther((now) => ({
          path,
          items: [...(now?.path === path ? now.items : []), ...page.items],
          next: page.next,
        }));
      },
      (reason: unknown) => {
        setLoadingMore(false);
        setFailed(reason instanceof ApiError ? reason : new ApiError(String(reason), '', 0));
      },
    );
  };
  const items = open ? [...(data?.items ?? []), ...further.items] : (data?.items ?? []);
  return { first: data, items, more: next !== null, error: error ?? failed, loading, loadingMore, loadMore };
}
