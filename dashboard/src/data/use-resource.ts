/** An answer of the API as state: kept while a newer one is fetched, so that the page never blinks. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, getJson } from './fetch.ts';

export interface Resource<T> {
  data: T | null;
  error: ApiError | null;
  /** The first answer, or the one to another question, is on its way. */
  loading: boolean;
}

/** @param pulse a change of it fetches the same path again; null as path fetches nothing */
export function useResource<T>(path: string | null, pulse: number): Resource<T> {
  const [state, setState] = useState<Resource<T> & { path: string | null }>({
    data: null,
    error: null,
    loading: true,
    path: null,
  });
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    setState((current) => ({ ...current, loading: current.path !== path }));
    getJson<T>(path, abort.signal).then(
      (data) => setState({ data, error: null, loading: false, path }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(String(error), '', 0);
        setState((current) => ({
          data: current.path === path ? current.data : null,
          error: told,
          loading: false,
          path,
        }));
      },
    );
    return () => abort.abort();
  }, [path, pulse]);
  return state;
}
