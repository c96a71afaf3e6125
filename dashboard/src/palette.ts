/** Colours of the services: given in the order they are met, and kept, so that a line does not change its colour. */
export const hues = 8;
const given = new Map<string, number>();

/** 1–8, for `--series-n`; services beyond share them. */
export function hueOf(service: string): number {
  let hue = given.get(service);
  if (hue === undefined) {
    hue = (given.size % hues) + 1;
    given.set(service, hue);
  }
  return hue;
}

/** The value of a CSS variable now; canvases need it in figures. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
