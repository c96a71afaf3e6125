/** Text tables of the reports. */

/** First column to the left, the others to the right; all to the left where asked. */
export function table(head: string[], rows: string[][], allLeft = false): string[] {
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => (row[at] ?? '').length)));
  const line = (cells: string[]): string =>
    cells
      .map((cell, at) => (at === 0 || allLeft ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

/** 1234567 → "1,234,567", the same whatever the machine's language. */
export function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}
