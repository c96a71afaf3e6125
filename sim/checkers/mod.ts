/** The checkers: each looks at one promise. `watch` ones look on while the cluster runs, `judge` ones at the end. */
import { alerts } from './alerts.ts';
import { acknowledged } from './acknowledged.ts';
import { chain } from './chain.ts';
import type { Checker } from './checker.ts';
import { fold } from './fold.ts';
import { order } from './order.ts';
import { view } from './view.ts';

export { type Evidence, Broken } from './checker.ts';
export { converged } from './converged.ts';
export { watchPositions } from './positions.ts';

export const checkers: readonly Checker[] = [acknowledged, order, chain, fold, view, alerts];
