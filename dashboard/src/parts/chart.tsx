/** A time chart: uPlot, rebuilt when its lines, the theme or the width change, fed otherwise. Drag to zoom in. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { cssColor } from '../palette.ts';
import { chartOptions } from './chart-options.ts';
import { themeEvent } from './theme-button.tsx';

export interface Line {
  label: string;
  /** CSS variable of its colour. */
  color: string;
  /** null = not known (yet). */
  values: (number | null)[];
}

interface Props {
  label: string;
  unit: string;
  timesMs: number[];
  lines: Line[];
  /** Areas on top of each other instead of lines. */
  stacked: boolean;
  height: number;
  gutter: number;
  rangeMs: [number, number];
  onZoom: (fromMs: number, toMs: number) => void;
}

/** Values as drawn: stacked ones are sums from the last line up, so that the first is on top of the picture's legend. */
export function drawn(lines: readonly Line[], stacked: boolean): (number | null)[][] {
  if (!stacked) return lines.map(({ values }) => values);
  const sums: (number | null)[][] = [];
  let below: (number | null)[] = [];
  for (const { values } of [...lines].reverse()) {
    below = values.map((value, index) => (value === null ? null : value + (below[index] ?? 0)));
    sums.unshift(below);
  }
  return sums;
}

export function Chart(props: Props) {
  const { label, unit, timesMs, lines, stacked, height, gutter, rangeMs } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [width, setWidth] = useState(0);
  const [theme, setTheme] = useState(0);

  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    const repaint = (): void => setTheme((now) => now + 1);
    const preference = matchMedia('(prefers-color-scheme: dark)');
    addEventListener(themeEvent, repaint);
    preference.addEventListener('change', repaint);
    return () => {
      observer.disconnect();
      removeEventListener(themeEvent, repaint);
      preference.removeEventListener('change', repaint);
    };
  }, []);

  const identity = lines.map((line) => `${line.label}${line.color}`).join('|');
  useEffect(() => {
    const element = host.current;
    if (element === null || width === 0) return undefined;
    const now = latest.current;
    const options = chartOptions({
      width,
      height,
      gutter,
      stacked,
      unit,
      lines: now.lines.map((line) => ({ label: line.label, color: cssColor(line.color) })),
      colors: { axis: cssColor('--faint'), grid: cssColor('--hair') },
      range: () => [latest.current.rangeMs[0] / 1000, latest.current.rangeMs[1] / 1000],
      valueAt: (line, index) => latest.current.lines[line]?.values[index] ?? null,
      onZoom: (fromMs, toMs) => latest.current.onZoom(fromMs, toMs),
    });
    const data = [now.timesMs.map((ms) => ms / 1000), ...drawn(now.lines, stacked)] as uPlot.AlignedData;
    plot.current = new uPlot(options, data, element);
    return () => {
      plot.current?.destroy();
      plot.current = null;
    };
  }, [identity, width, height, gutter, theme, stacked, unit]);

  useEffect(() => {
    plot.current?.setData([timesMs.map((ms) => ms / 1000), ...drawn(lines, stacked)] as uPlot.AlignedData);
  }, [timesMs, lines, stacked, rangeMs[0], rangeMs[1]]);

  return <div class="chart" ref={host} role="img" aria-label={label} style={{ height: `${height}px` }} />;
}
