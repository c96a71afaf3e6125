/** Logs are stored, but none in this range: where they are, and a way there. */
import type { Overview } from '#api/types.ts';
import { minute } from '../format.ts';
import type { SetView } from '../state/use-view.ts';

/** Room left and right of everything stored, as a share of its length. */
const room = 0.02;

export function Elsewhere({ overview, setView }: { overview: Overview | null; setView: SetView }) {
  if (overview === null || overview.extent === null || overview.totals.logs > 0) return null;
  const { oldestMs, newestMs } = overview.extent;
  const spareMs = Math.max(60_000, (newestMs - oldestMs) * room);
  const show = (): void =>
    setView({ from: String(Math.max(0, Math.floor(oldestMs - spareMs))), to: String(Math.ceil(newestMs + spareMs)) });
  return (
    <div class="elsewhere" role="status">
      <p>
        No logs in this range. What is stored lies between {minute(oldestMs)} and {minute(newestMs)}.
      </p>
      <button type="button" class="button" onClick={show}>
        Show that time
      </button>
    </div>
  );
}
