/** Finds the name that a person most likely meant, for "did you mean" in errors about commands, options and keys. */

/** Edits (insert, delete, replace, swap of neighbours) between two words, both short. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replace, swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}

/** The closest of `names`, or undefined when none is close enough to be a slip of the keyboard. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  const tolerance = Math.max(1, Math.floor(word.length / 3));
  return bestDistance <= tolerance ? best : prefixed(word, names);
}

function prefixed(word: string, names: Iterable<string>): string | undefined {
  if (word.length < 3) return undefined;
  const matches = [...names].filter((name) => name.toLowerCase().startsWith(word.toLowerCase()));
  return matches.length === 1 ? matches[0] : undefined;
}

/** ` Did you mean "x"?` with the leading space, or ''. */
export function didYouMean(word: string, names: Iterable<string>, prefix = ''): string {
  const name = nearest(word, names);
  return name === undefined ? '' : ` Did you mean "${prefix}${name}"?`;
}
