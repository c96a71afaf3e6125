/** A line of recent values without axes. */
export function sparkPath(values: readonly number[], width: number, height: number, slots: number): string {
  if (values.length < 2) return '';
  const top = Math.max(...values, 1e-9);
  const step = width / (slots - 1);
  const first = width - (values.length - 1) * step;
  return values
    .map(
      (value, index) =>
        `${index === 0 ? 'M' : 'L'}${(first + index * step).toFixed(1)} ${(height - 2 - (value / top) * (height - 6)).toFixed(1)}`,
    )
    .join('');
}

export function Spark({ values, slots, label }: { values: number[]; slots: number; label: string }) {
  const path = sparkPath(values, 240, 44, slots);
  return (
    <svg class="spark" viewBox="0 0 240 44" preserveAspectRatio="none" role="img" aria-label={label}>
      {path !== '' && <path class="spark-area" d={`${path}L240 44L${path.slice(1).split(' ')[0]} 44Z`} />}
      <path class="spark-line" d={path} />
    </svg>
  );
}
