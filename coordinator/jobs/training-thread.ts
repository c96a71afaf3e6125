/** Training in a thread of its own, so that a leader renews its lease meanwhile. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { trainAndJudge, type TrainingInput, type TrainingResult } from '#workers/mod.ts';

/** Ends a training that goes on for longer than any should, ms. */
const timeoutMs = 10 * 60_000;

const mark = 'logweir-training';

export function trainInThread(input: TrainingInput): Promise<TrainingResult> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: { mark, input } });
    const timer = setTimeout(() => {
      reject(new Error(`training took longer than ${timeoutMs / 60_000} minutes`));
      void thread.terminate();
    }, timeoutMs);
    timer.unref();
    thread.unref();
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', (code) => {
      clearTimeout(timer);
      // Settled long ago where all went well.
      reject(new Error(`the training thread ended with ${code}`));
    });
  });
}

const given = workerData as { mark?: string; input: TrainingInput } | null;
if (!isMainThread && given?.mark === mark) parentPort?.postMessage(trainAndJudge(given.input), []);
