import type { Clock } from '@emperor/common/clock';
import type { EventJson } from '@emperor/common/control/api';
import { errorName, hintForFailure } from '@emperor/vassal/keeper/failure';
import type { Change } from '../emperor.ts';
import type { Held } from '../held.ts';
import type { ExplainFailure } from './ending.ts';
import { isoTime } from './status.ts';

/** One change as a line of the event stream. */
export function eventOf({ held, event }: Change, clock: Clock): EventJson {
  const detail =
    'cause' in event ? event.cause : 'generation' in event ? `generation ${event.generation}` : null;
  return { at: isoTime(clock.wall()), vassal: held.name, event: held.state.is, detail };
}

/** What a failed stage of this vassal's launch means, with what its file asked for. */
export function launchFailureExplainer(held: Held): ExplainFailure {
  const spec = held.attempt?.spec ?? held.file?.good?.spec;
  return ({ failure }) => {
    const { message, hint } = hintForFailure(failure, spec);
    return { what: `${message} (stage ${failure.stage}, ${errorName(failure.errno)})`, hint };
  };
}
