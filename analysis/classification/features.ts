import { canonicalText } from './canonical.ts';
import { conceptNames, conceptsOf } from './lexicon.ts';

/**
 * A text as the learners see it. Feature ids are 32-bit FNV-1a hashes of a kind and a string; each kind's values
 * share a fixed length, so that a long message weighs no more than a short one.
 */
export interface Features {
  /** Canonical text: equal for records of one template. */
  key: string;
  /** Distinct ids, in the order: concepts and shapes, words, neighbours, character n-grams. */
  ids: Uint32Array;
  /** Value of each id, > 0. */
  values: Float64Array;
  /** ids[0 … conceptEnd) are concepts, pairs of concepts and shapes: all that the lexicon learner reads. */
  conceptEnd: number;
  /** ids[0 … liveEnd) may carry weights learned online: concepts, shapes and words. */
  liveEnd: number;
  /** ids[conceptEnd … wordEnd) are words and neighbours: what naive Bayes counts. */
  wordEnd: number;
  /** Sorted distinct hashes of words, for overlap with other templates. */
  tokens: Uint32Array;
}

const wordsMax = 64;
const gramsMax = 320;
const fnvPrime = 16777619;

/** FNV-1a 32 over UTF-16 units, from a seed that separates kinds. */
export function hashText(seed: number, text: string): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), fnvPrime);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
function hashPair(seed: number, a: number, b: number): number {
  let h = Math.imul(seed ^ a, fnvPrime);
  h = Math.imul((h ^ (h >>> 16) ^ b) >>> 0, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

const kind = {
  concept: 0x11,
  pair: 0x22,
  shape: 0x33,
  word: 0x44,
  token: 0x55,
  next: 0x66,
  gram: 0x77,
  place: 0x88,
  guide: 0x99,
};
const seedOf = (k: number): number => Math.imul(0x811c9dc5 ^ k, fnvPrime) >>> 0;
const seeds = Object.fromEntries(Object.entries(kind).map(([name, k]) => [name, seedOf(k)])) as Record<
  keyof typeof kind,
  number
>;

/** Id of the feature "another model gave this label". */
export const guideId = (label: string): number => hashText(seeds.guide, label);
const conceptIds = conceptNames.map((name) => hashText(seeds.concept, name));

const suffixes = [
  'ations',
  'ation',
  'ingly',
  'ments',
  'ment',
  'ings',
  'ions',
  'ness',
  'ing',
  'ion',
  'ies',
  'ers',
  'ed',
  'er',
  'es',
  'ly',
  's',
  'e',
  'y',
];
/** Crude English stem, at least 4 letters: enough to join "replicate", "replicated" and "replication". */
export function stem(word: string): string {
  for (const suffix of suffixes) {
    if (word.length - suffix.length >= 4 && word.endsWith(suffix)) return word.slice(0, word.length - suffix.length);
  }
  return word;
}

const isUpper = (c: number): boolean => c >= 65 && c <= 90;
const isLetter = (c: number): boolean => (c >= 97 && c <= 122) || isUpper(c) || c > 127;

interface Words {
  /** Lower-case parts: `handleTimeUpdate` → handle, time, update. */
  parts: string[];
  /** Whole lower-case identifiers that had several parts. */
  identifiers: string[];
  masks: number;
}

/** Letters of a text as words; an identifier of several words is taken apart. */
export function splitWords(text: string): Words {
  const parts: string[] = [];
  const identifiers: string[] = [];
  let masks = 0;
  let i = 0;
  while (i < text.length && parts.length < wordsMax) {
    const c = text.charCodeAt(i);
    if (!isLetter(c)) {
      if (c === 60 && text.startsWith('<*>', i)) {
        masks++;
        i += 2;
      } else if (c >= 49 && c <= 53 && text.startsWith('xx', i + 1)) {
        parts.push(text.slice(i, i + 3));
        i += 2;
      }
      i++;
      continue;
    }
    let j = i + 1;
    let from = i;
    let pieces = 0;
    for (; j < text.length; j++) {
      const d = text.charCodeAt(j);
      if (!isLetter(d)) {
        if (d === 95 && j + 1 < text.length && isLetter(text.charCodeAt(j + 1))) {
          if (j > from) parts.push(text.slice(from, j).toLowerCase());
          pieces++;
          from = j + 1;
          continue;
        }
        break;
      }
      const before = text.charCodeAt(j - 1);
      const humps =
        isUpper(d) &&
        (!isUpper(before) ||
          (j + 1 < text.length && !isUpper(text.charCodeAt(j + 1)) && isLetter(text.charCodeAt(j + 1))));
      if (humps && j > from) {
        parts.push(text.slice(from, j).toLowerCase());
        pieces++;
        from = j;
      }
    }
    if (j > from) parts.push(text.slice(from, j).toLowerCase());
    if (pieces > 0) identifiers.push(text.slice(i, j).toLowerCase());
    i = j;
  }
  return { parts, identifiers, masks };
}

const bucket = (n: number): string => (n < 4 ? String(n) : n < 8 ? '4+' : n < 16 ? '8+' : '16+');

function countOf(text: string, char: string): number {
  let n = 0;
  for (let i = text.indexOf(char); i >= 0 && n < 32; i = text.indexOf(char, i + 1)) n++;
  return n;
}

/** The look of a text, words aside: how it is punctuated, begins and ends, and how many variables it has. */
function shapesOf(text: string, words: Words): string[] {
  const first = text.charCodeAt(0);
  const space = text.indexOf(' ');
  const head = space < 0 ? text : text.slice(0, space);
  const camel = /^[a-z]+[A-Z]/.test(head);
  const shapes = [
    `words${bucket(words.parts.length)}`,
    `masks${bucket(words.masks)}`,
    `equals${bucket(countOf(text, '='))}`,
    `colons${bucket(countOf(text, ':'))}`,
    `commas${bucket(countOf(text, ','))}`,
    `identifiers${bucket(words.identifiers.length)}`,
    camel ? 'head:camel' : isUpper(first) ? 'head:upper' : isLetter(first) ? 'head:lower' : `head:${text.charAt(0)}`,
    `tail:${isLetter(text.charCodeAt(text.length - 1)) ? 'a' : text.slice(-1)}`,
  ];
  if (space < 0) shapes.push('one-token');
  if (text.includes('...')) shapes.push('dots');
  if (text.includes('"')) shapes.push('quoted');
  if (text.includes('{')) shapes.push('braces');
  if (text.includes('[')) shapes.push('brackets');
  if (text.includes('()')) shapes.push('call');
  if (text.includes('!')) shapes.push('bang');
  if (/(Exception|Error)\b/.test(text)) shapes.push('exception');
  if (/[A-Za-z]\/[A-Za-z]|\/[a-z]+\//.test(text)) shapes.push('path');
  if (/^[\w.-]+: /.test(text)) shapes.push('prefixed');
  if (/\b(true|false)\b/.test(text)) shapes.push('boolean');
  if (/\b[A-Z]{3,}\b/.test(text)) shapes.push('capitals');
  if (/(^|[\s=:(])-<\*>/.test(text)) shapes.push('negative');
  if (/^\w+[.=:]? *<\*>$/.test(text)) shapes.push('name-value');
  return shapes;
}

const distinct = (ids: number[]): Uint32Array => {
  const sorted = Uint32Array.from(ids).sort();
  let n = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[n++] = sorted[i] as number;
  return sorted.subarray(0, n);
};

/** Sum of squared values of each kind. */
const weight = { concept: 1, pair: 0.4, shape: 0.5, word: 1, next: 0.6, gram: 0.8 };

export function extract(text: string): Features {
  return extractCanonical(canonicalText(text));
}

/** Features of a text that is canonical already. */
export function extractCanonical(key: string): Features {
  const words = splitWords(key);
  const stems = words.parts.map(stem);
  const conceptHits: number[] = [];
  const pairHits: number[] = [];
  const sequence: number[] = [];
  words.parts.forEach((word, i) => {
    const next = words.parts[i + 1];
    const found = conceptsOf(word);
    if (next !== undefined) for (const c of conceptsOf(`${word}_${next}`)) if (!found.includes(c)) found.push(c);
    for (const c of found) {
      conceptHits.push(conceptIds[c] as number);
      for (const before of sequence)
        pairHits.push(
          hashPair(seeds.pair, conceptIds[Math.min(before, c)] as number, conceptIds[Math.max(before, c)] as number),
        );
    }
    for (const c of found) if (!sequence.includes(c) && sequence.length < 12) sequence.push(c);
  });
  const shapeIds = shapesOf(key, words).map((shape) => hashText(seeds.shape, shape));
  const stemIds = stems.map((s) => hashText(seeds.word, s));
  const wordIds = stemIds.concat(words.identifiers.map((s) => hashText(seeds.token, s)));
  if (stemIds[0] !== undefined) wordIds.push(hashPair(seeds.place, 1, stemIds[0]));
  const last = stemIds[stemIds.length - 1];
  if (last !== undefined) wordIds.push(hashPair(seeds.place, 2, last));
  const nextIds: number[] = [];
  for (let i = 1; i < stemIds.length; i++) {
    nextIds.push(hashPair(seeds.next, stemIds[i - 1] as number, stemIds[i] as number));
    if (i > 1) nextIds.push(hashPair(seeds.next ^ 7, stemIds[i - 2] as number, stemIds[i] as number));
  }
  const gramIds: number[] = [];
  for (const part of words.parts) {
    const framed = `^${part}$`;
    for (let i = 0; i + 4 <= framed.length && gramIds.length < gramsMax; i++)
      gramIds.push(hashText(seeds.gram, framed.slice(i, i + 4)));
  }
  const kinds: [Uint32Array, number][] = [
    [distinct(conceptHits), weight.concept],
    [distinct(pairHits), weight.pair],
    [distinct(shapeIds), weight.shape],
    [distinct(wordIds), weight.word],
    [distinct(nextIds), weight.next],
    [distinct(gramIds), weight.gram],
  ];
  let length = 0;
  for (const [ids] of kinds) length += ids.length;
  const ids = new Uint32Array(length);
  const values = new Float64Array(length);
  const ends: number[] = [];
  let at = 0;
  for (const [of, share] of kinds) {
    ids.set(of, at);
    values.fill(Math.sqrt(share / Math.max(of.length, 1)), at, at + of.length);
    at += of.length;
    ends.push(at);
  }
  return {
    key,
    ids,
    values,
    conceptEnd: ends[2] as number,
    liveEnd: ends[3] as number,
    wordEnd: ends[4] as number,
    tokens: distinct(wordIds),
  };
}
