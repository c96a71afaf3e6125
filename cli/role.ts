/**
 * What every role process (`gateway`, `worker`, …) does around its own work: start, say that it is ready, wait
 * until it shall end, stop. Under `logweir up` readiness goes over the IPC channel to the supervisor; when that
 * channel closes, the supervisor is dead and the role stops, so that no orphan keeps a partition or a port.
 *
 *     run: (ctx) => runRole(ctx, async () => {
 *       const gateway = await startGateway(…);
 *       return { facts: { port: gateway.port }, stop: () => gateway.stop() };
 *     }),
 */
import process from 'node:process';
import { type CommandContext, exitCodes } from './command.ts';

export interface RunningRole {
  /** Told to the supervisor with readiness and kept in `cluster.json`; plain JSON. */
  facts?: Readonly<Record<string, unknown>>;
  /** Rejects when the role cannot go on; the process then exits 1 and the supervisor starts it anew. */
  failed?: Promise<never>;
  /** Finishes what is in flight and lets go; the supervisor waits `stopTimeoutMs` of `cli/supervisor` at most. */
  stop(): Promise<void>;
}

/** Message of a role to its supervisor. */
export interface ReadyMessage {
  ready: true;
  facts: Readonly<Record<string, unknown>>;
}

export async function runRole(
  ctx: Pick<CommandContext, 'name' | 'signal' | 'note'>,
  start: () => Promise<RunningRole>,
): Promise<number> {
  const ended = endOfRole(ctx.signal);
  const role = await start();
  const message: ReadyMessage = { ready: true, facts: role.facts ?? {} };
  if (process.send === undefined) ctx.note(`logweir ${ctx.name} is ready.`);
  else if (process.connected) process.send(message);
  try {
    await Promise.race(role.failed === undefined ? [ended] : [ended, role.failed]);
  } finally {
    await role.stop();
  }
  return exitCodes.ok;
}

/** Resolves at the first signal or when the supervisor is gone. */
function endOfRole(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    process.once('disconnect', resolve);
  });
}
