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
  throw await problemOf(response);
}

/** Sends JSON; the answer is null where it has no body. Throws ApiError. */
export async function sendJson<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(unreachable, 'Nothing was changed; try again.', 0);
  }
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 ? null : await response.json()) as T;
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as Problem | null;
  return new ApiError(
    problem?.detail ?? `The server answered ${response.status}.`,
    problem?.remedy ?? '',
    response.status,
  );
}
