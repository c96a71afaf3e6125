/**
 * When does a place become a variable? When enough different words were seen there in lines that are otherwise equal.
 * "Enough" depends on what the words look like and on how much of the line is left to tell it from others.
 */
import type { TemplateConfig } from './config.ts';
import { type Pattern, value, wild, type Word, wordsOf } from './pattern.ts';

export interface Widening {
  /** Places that become wild. */
  places: number[];
}

interface Family {
  place: number;
  members: Pattern[];
}

/** The widening that a new pattern brings about among the patterns of its shape, if any. */
export function widening(pattern: Pattern, others: readonly Pattern[], config: TemplateConfig): Widening | undefined {
  const families: Family[] = [];
  for (const other of others) {
    const place = onlyDifference(pattern.places, other.places);
    if (place < 0) continue;
    const family = families.find((f) => f.place === place);
    if (family) family.members.push(other);
    else families.push({ place, members: [other] });
  }
  if (families.length === 0) return undefined;
  const words = wordsOf(pattern);
  families.sort((x, y) => y.members.length - x.members.length || x.place - y.place);
  for (const { place, members } of families) {
    if (members.length + 1 >= valuesNeeded(words, place, members, config)) return { places: [place] };
  }
  return undefined;
}

function valuesNeeded(
  words: readonly Word[],
  place: number,
  members: readonly Pattern[],
  config: TemplateConfig,
): number {
  let constants = 0;
  for (let i = 0; i < words.length; i++) if (i !== place && !words[i]!.variable) constants++;
  if (constants === 0) return Number.POSITIVE_INFINITY;
  const meetsVariable = words[place]!.variable || members.some((m) => m.places[place] === value);
  if (meetsVariable && constants > 1) return 2;
  const names = words[place]!.name && members.every((m) => wordsOf(m)[place]!.name);
  const needed = names ? config.nameValues : config.wordValues;
  return needed + (constants === 1 ? 3 : 0) + (place === 0 ? 2 : 0);
}

/** The one place where two patterns differ; -1: none or several. */
function onlyDifference(a: Int32Array, b: Int32Array): number {
  if (a.length !== b.length) return -1;
  let at = -1;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (at >= 0 || a[i] === wild || b[i] === wild) return -1;
    at = i;
  }
  return at;
}
