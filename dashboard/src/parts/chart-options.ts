/** How our charts look: hairlines, no frame, a gutter of fixed width so that charts above each other share their times. */
import type uPlot from 'uplot';
import { axisTime, compact, figure } from '../format.ts';
import { tooltip } from './chart-tooltip.ts';

export interface ChartStyle {
  width: number;
  height: number;
  gutter: number;
  stacked: boolean;
  unit: string;
  lines: { label: string; color: string }[];
  colors: { axis: string; grid: string };
  range: () => [number, number];
  valueAt: (line: number, index: number) => number | null;
  onZoom: (fromMs: number, toMs: number) => void;
}

/** Right of the plot; the lanes below keep the same. */
export const plotRightPx = 12;
const font = '11px ui-sans-serif, system-ui, sans-serif';
/** A drag shorter than this is a click, px. */
const zoomMinPx = 6;

export function chartOptions(style: ChartStyle): uPlot.Options {
  const { width, height, gutter, stacked, lines, colors } = style;
  const axis = { stroke: colors.axis, font, ticks: { show: false }, grid: { stroke: colors.grid, width: 1 } };
  return {
    width,
    height,
    padding: [10, plotRightPx, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: 'overview' },
      points: { show: !stacked, size: 5 },
      drag: { x: true, y: false, setScale: false },
      y: false,
    },
    scales: {
      x: { time: true, range: style.range },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 90,
        grid: { show: false },
        values: (_plot, splits, _index, _space, stepSeconds) =>
          splits.map((at) => axisTime(at * 1000, stepSeconds * 1000)),
      },
      {
        ...axis,
        size: gutter,
        space: 34,
        gap: 8,
        values: (_plot, splits) =>
          splits.map((value) => (value === 0 ? '0' : Number.isInteger(value) ? compact(value) : figure(value))),
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ label, color }): uPlot.Series => ({
          label,
          stroke: color,
          width: stacked ? 1 : 1.5,
          points: { show: false },
          ...(stacked ? { fill: `${color}59` } : {}),
        }),
      ),
    ],
    // Each area is cut off where the one below it begins: colours stay what the legend says.
    ...(stacked
      ? { bands: lines.slice(1).map((_, index) => ({ series: [index + 1, index + 2] as [number, number] })) }
      : {}),
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < zoomMinPx) return;
          const from = plot.posToVal(plot.select.left, 'x');
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x');
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          style.onZoom(Math.round(from * 1000), Math.round(to * 1000));
        },
      ],
    },
    plugins: [tooltip(style)],
  };
}
