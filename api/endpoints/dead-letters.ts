/** What could not be taken: how much of it and when, and each with its bytes. */
import { afterParam, integer, rangeOf, rangeParams, text } from '../params.ts';
import { ApiProblem } from '../problems.ts';
import type { DeadLetterDetail, DeadLetters } from '../types.ts';
import { endpoint } from './endpoint.ts';

const stepsWanted = 60;
const minuteMs = 60_000;

export const deadLetters = endpoint({
  path: '/dead-letters',
  about:
    'Records, requests and messages that could not be taken: counts by reason and receiver over time, newest letters.',
  params: {
    ...rangeParams,
    reason: text('Only of this reason.', 40),
    receiver: text('Only of this receiver.', 40),
    limit: integer('Letters per page.', 1, 200, 50),
    after: afterParam,
  },
  answer: async (query, { dead }): Promise<DeadLetters> => {
    const range = rangeOf(query);
    const { reason, receiver } = query;
    const stepMs = Math.max(minuteMs, Math.ceil((range.toMs - range.fromMs) / stepsWanted / minuteMs) * minuteMs);
    const filter = { range, reason, receiver };
    const kinds = await dead.kinds(filter, stepMs);
    const { items, next } = await dead.letters(filter, { limit: query.limit, after: query.after });
    return { range, stepMs, kinds, items, next };
  },
});

export const deadLetter = endpoint({
  path: '/dead-letters/:id',
  about: 'One dead letter with its bytes as text: control characters escaped, in hex where it is no text.',
  params: {},
  answer: async (_query, { dead }, id): Promise<DeadLetterDetail> => {
    const letter = await dead.letter(id);
    if (letter !== null) return letter;
    throw new ApiProblem(
      'NOT_FOUND',
      `There is no dead letter '${id}'.`,
      'It was sent again, removed or dropped for its age.',
    );
  },
});
