import type { Clock } from '@emperor/common/clock';
import type { EventJson } from '@emperor/common/control/api';
import type { Change } from '../emperor.ts';
import { isoTime } from './status.ts';

/** One change as a line of the event stream. */
export function eventOf({ held, event }: Change, clock: Clock): EventJson {
  const detail =
    'cause' in event ? event.cause : 'generation' in event ? `generation ${event.generation}` : null;
  return { at: isoTime(clock.wall()), vassal: held.name, event: held.state.is, detail };
}
