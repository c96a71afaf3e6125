import { LogweirError } from '#protocol/mod.ts';
import type { BayesModel } from './bayes-learner.ts';
import type { Model } from './model.ts';
import type { NearestModel } from './nearest-learner.ts';
import type { SoftmaxModel } from './softmax-learner.ts';
import { type Table, tableOf } from './table.ts';
import { learnerNames, type TaskModel } from './task-model.ts';

/**
 * A model as bytes: magic, length of the header, header (JSON: labels and array lengths per task), the arrays
 * (4-byte little-endian numbers, in the order of `arraysOf`), and a checksum of all that. Weights travel as they are,
 * so `decodeModel(encodeModel(m))` answers as m does.
 */
const magic = 'LWCM0001';
const modelBytesMax = 256 * 1024 * 1024;

interface TaskHeader {
  labels: string[];
  lengths: number[];
}
interface Header {
  tasks: TaskHeader[];
}
type Numbers = Float32Array | Uint32Array;

function arraysOf(t: TaskModel): Numbers[] {
  return [
    t.priors,
    t.poolWeights,
    t.poolBias,
    t.linear.table.ids,
    t.linear.weights,
    t.linear.bias,
    t.bayes.table.ids,
    t.bayes.weights,
    t.bayes.bias,
    t.nearest.table.ids,
    t.nearest.rarity,
    t.nearest.starts,
    t.nearest.rows,
    t.nearest.shares,
    t.lexicon.table.ids,
    t.lexicon.weights,
    t.lexicon.bias,
  ];
}
/** Positions of the Uint32 arrays in the list above. */
const integers: ReadonlySet<number> = new Set([3, 6, 9, 11, 12, 14]);
const arrayCount = 17;

const tasksOf = (m: Model): TaskModel[] => [
  m.severity,
  m.category,
  ...(m.guide === undefined ? [] : [m.guide.severity, m.guide.category]),
];

/** Checksum over 32-bit words. */
function checksum(bytes: Uint8Array, end: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), 16777619);
  return h >>> 0;
}

export function encodeModel(model: Model): Uint8Array {
  const tasks = tasksOf(model);
  const header: Header = {
    tasks: tasks.map((t) => ({ labels: [...t.labels], lengths: arraysOf(t).map((a) => a.length) })),
  };
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  let numbers = 0;
  for (const t of header.tasks) for (const n of t.lengths) numbers += n;
  const bytes = new Uint8Array(magic.length + 4 + headerBytes.length + numbers * 4 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(magic));
  view.setUint32(magic.length, headerBytes.length, true);
  let at = magic.length + 4;
  bytes.set(headerBytes, at);
  at += headerBytes.length;
  for (const task of tasks) {
    arraysOf(task).forEach((array, i) => {
      for (const x of array) {
        if (integers.has(i)) view.setUint32(at, x, true);
        else view.setFloat32(at, x, true);
        at += 4;
      }
    });
  }
  view.setUint32(at, checksum(bytes, at), true);
  return bytes;
}

function refuse(why: string): never {
  throw new LogweirError(
    'INPUT_UNREADABLE',
    `This is not a usable classification model: ${why}.`,
    'Train it again with `logweir train --labels FILE --out MODEL`.',
  );
}
function check(ok: boolean, why: string): asserts ok {
  if (!ok) refuse(why);
}

/** Throws INPUT_UNREADABLE for anything that `encodeModel` did not make. */
export function decodeModel(bytes: Uint8Array): Model {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(bytes.length >= magic.length + 8 && bytes.length <= modelBytesMax, 'its size is out of range');
  check(new TextDecoder().decode(bytes.subarray(0, magic.length)) === magic, 'it does not begin as one');
  const end = bytes.length - 4;
  check(view.getUint32(end, true) === checksum(bytes, end), 'its checksum does not match, so it is cut or damaged');
  const headerLength = view.getUint32(magic.length, true);
  const arraysAt = magic.length + 4 + headerLength;
  check(arraysAt <= end, 'its header is cut');
  const header = readHeader(bytes.subarray(magic.length + 4, arraysAt));
  let at = arraysAt;
  const tasks = header.tasks.map(({ labels, lengths }) => {
    const arrays = lengths.map((length, i): Numbers => {
      check(at + length * 4 <= end, 'its arrays are cut');
      const array = integers.has(i) ? new Uint32Array(length) : new Float32Array(length);
      for (let n = 0; n < length; n++, at += 4)
        array[n] = integers.has(i) ? view.getUint32(at, true) : view.getFloat32(at, true);
      return array;
    });
    return taskOf(labels, arrays);
  });
  check(at === end, 'it is longer than its header says');
  check(tasks.length === 2 || tasks.length === 4, 'it has a wrong number of tasks');
  const [severity, category, guideSeverity, guideCategory] = tasks;
  check(severity !== undefined && category !== undefined, 'it lacks a task');
  check(severity.labels.join() === 'DEBUG,INFO,WARN,ERROR', 'its severities are not DEBUG, INFO, WARN, ERROR');
  const guide =
    guideSeverity !== undefined && guideCategory !== undefined
      ? { severity: guideSeverity, category: guideCategory }
      : undefined;
  return { severity, category, guide };
}

function readHeader(bytes: Uint8Array): Header {
  let header: Header;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes)) as Header;
  } catch {
    return refuse('its header is not JSON');
  }
  check(Array.isArray(header?.tasks) && header.tasks.length <= 8, 'its header has no list of tasks');
  for (const task of header.tasks) {
    check(Array.isArray(task?.labels) && task.labels.length > 0 && task.labels.length <= 1024, 'a task has no labels');
    check(
      task.labels.every((l) => typeof l === 'string'),
      'a label is not text',
    );
    check(new Set(task.labels).size === task.labels.length, 'a label occurs twice');
    check(Array.isArray(task.lengths) && task.lengths.length === arrayCount, 'a task lacks arrays');
    check(
      task.lengths.every((n) => Number.isSafeInteger(n) && n >= 0 && n <= modelBytesMax / 4),
      'an array has no length',
    );
  }
  return header;
}

function tableChecked(ids: Uint32Array): Table {
  for (let i = 1; i < ids.length; i++)
    check((ids[i - 1] as number) < (ids[i] as number), 'its feature ids are not sorted');
  return tableOf(ids);
}

function weighted(ids: Numbers, weights: Numbers, bias: Numbers, k: number): SoftmaxModel & BayesModel {
  check(weights.length === ids.length * k && bias.length === k, 'a matrix has the wrong size');
  return { table: tableChecked(ids as Uint32Array), weights: weights as Float32Array, bias: bias as Float32Array };
}

function taskOf(labels: string[], a: Numbers[]): TaskModel {
  const k = labels.length;
  const at = (i: number): Numbers => a[i] as Numbers;
  a.forEach((array, i) => {
    if (!integers.has(i)) check((array as Float32Array).every(Number.isFinite), 'a weight is not a number');
  });
  check(
    at(0).length === k && at(1).length === learnerNames.length && at(2).length === k,
    'its pool has the wrong size',
  );
  return {
    labels,
    priors: at(0) as Float32Array,
    poolWeights: at(1) as Float32Array,
    poolBias: at(2) as Float32Array,
    linear: weighted(at(3), at(4), at(5), k),
    bayes: weighted(at(6), at(7), at(8), k),
    nearest: nearestOf(at(9), at(10), at(11), at(12), at(13), k),
    lexicon: weighted(at(14), at(15), at(16), k),
  };
}

function nearestOf(
  ids: Numbers,
  rarity: Numbers,
  starts: Numbers,
  rows: Numbers,
  shares: Numbers,
  labels: number,
): NearestModel {
  check(
    rarity.length === ids.length && starts.length >= 1 && shares.length === (starts.length - 1) * labels,
    'its templates have the wrong size',
  );
  check(starts[0] === 0 && starts[starts.length - 1] === rows.length, 'its templates do not cover their words');
  for (let t = 1; t < starts.length; t++)
    check((starts[t - 1] as number) <= (starts[t] as number), 'its templates are out of order');
  for (const r of rows) check(r < ids.length, 'a template has an unknown word');
  return {
    table: tableChecked(ids as Uint32Array),
    rarity: rarity as Float32Array,
    starts: starts as Uint32Array,
    rows: rows as Uint32Array,
    shares: shares as Float32Array,
    labels,
  };
}
