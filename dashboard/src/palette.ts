/** Colours of the services: preferred by name, so that a service looks alike everywhere and tomorrow, and kept once given. */
const hues = 8;
const stored = 'logweir-hues';
/** More names than this share colours anyway. */
const storedMax = 200;
const given = new Map(readHues());
const taken = new Set([...given.values()].map((hue) => hue - 1));

/** As they were given in this browser before: which view asks first must not matter. */
function readHues(): [string, number][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(stored) ?? '{}');
    return Object.entries(kept as Record<string, unknown>)
      .filter((entry): entry is [string, number] => Number.isInteger(entry[1]) && 1 <= (entry[1] as number))
      .filter(([, hue]) => hue <= hues);
  } catch {
    return [];
  }
}

function keepHues(): void {
  try {
    localStorage.setItem(stored, JSON.stringify(Object.fromEntries([...given].slice(0, storedMax))));
  } catch {
    // Storage is off or full: colours hold for this page.
  }
}

function preferred(service: string): number {
  let hash = 7;
  for (let i = 0; i < service.length; i++) hash = (Math.imul(hash, 31) + service.charCodeAt(i)) >>> 0;
  return hash % hues;
}

/** 1–8, for `--series-n`: the preferred one or the next that is free; once all are taken they are shared. */
export function hueOf(service: string): number {
  const known = given.get(service);
  if (known !== undefined) return known;
  let hue = preferred(service);
  while (taken.size < hues && taken.has(hue)) hue = (hue + 1) % hues;
  taken.add(hue);
  given.set(service, hue + 1);
  keepHues();
  return hue + 1;
}

/** The value of a CSS variable now; canvases need it in figures. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
