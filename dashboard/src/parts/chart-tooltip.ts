/** What the crosshair stands on: the time, and the lines with the largest values there. */
import type uPlot from 'uplot';
import { figure, minute } from '../format.ts';
import type { ChartStyle } from './chart-options.ts';

const rowsMax = 6;

function row(label: string, value: string, color: string): HTMLElement {
  const line = document.createElement('div');
  const swatch = document.createElement('i');
  swatch.style.background = color;
  const name = document.createElement('span');
  name.textContent = label;
  const number = document.createElement('b');
  number.textContent = value;
  line.append(swatch, name, number);
  return line;
}

export function tooltip({ lines, unit, valueAt }: ChartStyle): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'tip';
  box.hidden = true;
  let own = false;
  const onEnter = (): void => {
    own = true;
  };
  const onLeave = (): void => {
    own = false;
    box.hidden = true;
  };
  const show = (plot: uPlot): void => {
    const index = plot.cursor.idx;
    if (!own || index === null || index === undefined) {
      box.hidden = true;
      return;
    }
    const time = document.createElement('strong');
    time.textContent = minute((plot.data[0][index] ?? 0) * 1000);
    const rows = lines
      .map((line, position) => ({ ...line, value: valueAt(position, index) }))
      .filter((line): line is typeof line & { value: number } => line.value !== null && line.value > 0)
      .sort((a, b) => b.value - a.value)
      .slice(0, rowsMax)
      .map(({ label, color, value }) => row(label, `${figure(value)} ${unit}`, color));
    box.replaceChildren(time, ...rows);
    box.hidden = false;
    const left = plot.cursor.left ?? 0;
    const flip = left > plot.over.clientWidth / 2;
    box.style.left = flip ? 'auto' : `${left + 14}px`;
    box.style.right = flip ? `${plot.over.clientWidth - left + 14}px` : 'auto';
  };
  return {
    hooks: {
      ready: (plot) => {
        plot.over.append(box);
        plot.over.addEventListener('mouseenter', onEnter);
        plot.over.addEventListener('mouseleave', onLeave);
      },
      setCursor: show,
    },
  };
}
