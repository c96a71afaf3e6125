/**
 * Cost of classification: per text (what a new template costs; callers cache the answer) and per learned record.
 * Texts are made here, in the shape of service logs. Run: node_modules/.bin/node loadtest/bench/classification.bench.ts
 */
import {
  baseModel,
  Classifier,
  classificationDefaults,
  encodeModel,
  trainModel,
} from '#analysis/classification/mod.ts';

const subjects = ['order', 'payment', 'session', 'replica', 'block', 'lease', 'mount', 'certificate', 'job', 'packet'];
const verbs = [
  'accepted',
  'refused by peer',
  'timed out after',
  'stored on',
  'lost while reading',
  'renewed for',
  'skipped',
  'retried',
];
const places = ['host-7 port 4411', 'shard 12', 'user 9120', '/var/data/part-0009', '10.2.3.4:9000', 'queue billing'];
const severities = ['INFO', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'INFO', 'INFO', 'WARN'];

const records = Array.from({ length: 20_000 }, (_, i) => {
  const verb = Math.floor(i / 10) % verbs.length;
  const body = `${subjects[i % 10]} ${i * 7919} ${verbs[verb]} ${places[Math.floor(i / 80) % 6]} in ${i % 977} ms`;
  return { body, severity: severities[verb] ?? 'INFO' };
});

/** Microseconds per call, the best of `tries` for each i: what other programs take from a shared core is left out. */
function measure(name: string, run: (i: number) => void, rounds: number, tries: number): void {
  for (let i = 0; i < 2000; i++) run(i);
  const us = new Float64Array(rounds);
  us.fill(Infinity);
  for (let i = 0; i < rounds; i++) {
    for (let t = 0; t < tries; t++) {
      const from = performance.now();
      run(i);
      us[i] = Math.min(us[i] ?? Infinity, (performance.now() - from) * 1000);
    }
  }
  us.sort();
  const mean = us.reduce((a, b) => a + b, 0) / rounds;
  const at = (share: number): string => (us[Math.floor(rounds * share)] ?? 0).toFixed(0).padStart(6);
  console.log(`${name.padEnd(34)} mean ${mean.toFixed(0).padStart(5)} µs   p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`);
}

const bodyAt = (i: number): string => records[i % records.length]?.body ?? '';
let from = performance.now();
void baseModel.severity;
console.log(`base model unpacked in ${(performance.now() - from).toFixed(0)} ms`);
from = performance.now();
const trained = trainModel(records);
console.log(
  `trained on ${records.length} records in ${(performance.now() - from).toFixed(0)} ms, ${encodeModel(trained).length >> 10} KiB`,
);

const fresh = new Classifier(classificationDefaults, baseModel);
measure('classify, base model', (i) => void fresh.classify(bodyAt(i)), 5000, 3);
const over = new Classifier(classificationDefaults, trained);
measure('classify, trained model', (i) => void over.classify(bodyAt(i)), 5000, 3);
const learner = new Classifier(classificationDefaults, baseModel);
measure(
  'learn, base model',
  (i) => learner.learn(bodyAt(i), { severity: records[i % records.length]?.severity }),
  10_000,
  1,
);
measure('classify after learning', (i) => void learner.classify(bodyAt(i)), 5000, 3);
console.log(`snapshot after learning: ${(learner.snapshot().base?.length ?? 0) >> 10} KiB`);

from = performance.now();
const crowd = Array.from({ length: 100_000 }, () => new Classifier(classificationDefaults, baseModel));
console.log(`${crowd.length} fresh classifiers in ${(performance.now() - from).toFixed(0)} ms`);
