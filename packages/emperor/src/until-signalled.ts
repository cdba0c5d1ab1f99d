import type { Clock } from '@emperor/common/clock';
import type { Log } from '@emperor/common/log/log';
import type { Emperor } from './emperor.ts';
import { seenOf } from './held.ts';

export type EndOfRun = 'stopped' | 'handover';

type Parts = {
  readonly emperor: Emperor;
  readonly log: Log;
  readonly clock: Clock;
  readonly lookAgain: () => void;
};

const LOOK_MS = 5;

/**
 * SIGTERM and SIGINT: stop all, then end. SIGUSR1: end, all live on. SIGHUP: look again. Resolves when the run is
 * over; a handover during a stop ends it where it is.
 */
export function untilSignalled({ emperor, log, clock, lookAgain }: Parts): Promise<EndOfRun> {
  return new Promise((resolve) => {
    const finish = (end: EndOfRun) => {
      process.removeAllListeners('SIGHUP');
      process.on('SIGHUP', () => undefined);
      resolve(end);
    };
    const stop = (signal: string) => {
      if (emperor.isClosing) return;
      log.info('stopping all vassals', { signal, vassals: emperor.vassals.size });
      emperor.close();
      const look = () => {
        if (isAllQuiet(emperor)) finish('stopped');
        else clock.after(LOOK_MS, look);
      };
      look();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGUSR1', () => finish('handover'));
    process.on('SIGHUP', () => lookAgain());
  });
}

function isAllQuiet(emperor: Emperor): boolean {
  if (!emperor.hasBegun) return false;
  for (const held of emperor.vassals.values()) {
    if (held.busy || seenOf(held).keeper !== 'none' || 'generation' in held.state) return false;
  }
  return true;
}
