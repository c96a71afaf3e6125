/** JSON from the API; a problem document becomes an error that keeps its words. */
import type { Problem } from '#api/types.ts';

export class ApiError extends Error {
  readonly remedy: string;
  readonly status: number;

  constructor(message: string, remedy: string, status: number) {
    super(message);
    this.remedy = remedy;
    this.status = status;
  }
}

const unreachable = 'The cluster does not answer.';

/** Throws ApiError; an abort passes through as the DOMException it is. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, { headers: { accept: 'application/json' }, ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(unreachable, 'Is it running? Start it with ./logweir up; this page goes on by itself.', 0);
  }
  if (response.ok) return (await response.json()) as T;
  const problem = (await response.json().catch(() => null)) as Problem | null;
  throw new ApiError(
    problem?.detail ?? `The server answered ${response.status}.`,
    problem?.remedy ?? '',
    response.status,
  );
}
