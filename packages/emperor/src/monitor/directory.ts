import { resolve } from 'node:path';

import type { Clock } from '@emperor/common/clock';
import type { Log } from '@emperor/common/log/log';
import { FSWatcher } from 'chokidar';

import type { Monitor } from '../ports.ts';
import { DirectoryScanner } from './scanner.ts';
import { type OpenWatch, Watches, wishesFor } from './watches.ts';

export type DirectoryMonitorParts = {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxBytes?: number;
};

const MOST_BYTES = 64 * 1024;

/**
 * The vassal files of one directory. chokidar's events are hints, a scan is the truth: the directory, all that leads
 * to it and the directories where links end are watched, one watch each, however many files they hold. No hint comes
 * from file systems that may hang (network, FUSE): what changes there is seen at the next scan.
 */
export function directoryMonitor({
  directory,
  clock,
  log,
  maxBytes = MOST_BYTES,
}: DirectoryMonitorParts): Monitor {
  let hint = (): void => undefined;
  const scanner = new DirectoryScanner({
    directory: resolve(directory),
    clock,
    maxBytes,
    operators: new Set([0, process.geteuid?.() ?? 0]),
    onLate: () => hint(),
  });
  const watches = new Watches(openWatch, clock, log, () => hint());
  let watching = false;
  const pass = async () => {
    const { scan, at, spots } = await scanner.pass();
    if (watching) watches.want(wishesFor(spots, at));
    return scan;
  };
  return {
    watch: async (onHint) => {
      watching = true;
      await pass();
      await watches.settled();
      hint = onHint;
    },
    scan: pass,
    unsettledMs: () => scanner.unsettledMs(),
    close: async () => {
      watching = false;
      hint = () => undefined;
      watches.close();
      await scanner.idle();
    },
  };
}

/**
 * chokidar would read the whole directory after every event, with a stat and, for files, a watch each: here a scan
 * does that, and knows what to read.
 */
class HintWatcher extends FSWatcher {
  override _readdirp(): undefined {
    return undefined;
  }
}

const openWatch: OpenWatch = (directory, { onEvent, onReady, onError }) => {
  const watcher = new HintWatcher({
    ignoreInitial: true,
    depth: 0,
    atomic: false,
    awaitWriteFinish: false,
    followSymlinks: false,
  });
  // 'raw' comes from fs.watch in the same tick; the cooked events wait for a stat.
  watcher.on('raw', (_event, name, details) => {
    onEvent(isOf(details, directory) && typeof name === 'string' ? name : undefined);
  });
  watcher.on('error', onError);
  watcher.once('ready', onReady);
  watcher.add(directory);
  return () => {
    // Ends the watch in this very call; what remains to be awaited is chokidar's own bookkeeping.
    void watcher.close();
    // It has dropped all listeners, and an error without one would be thrown.
    watcher.on('error', () => undefined);
  };
};

/** chokidar watches the parent instead when the directory is not there (any more). */
function isOf(details: unknown, directory: string): boolean {
  return (
    typeof details === 'object' &&
    details !== null &&
    'watchedPath' in details &&
    details.watchedPath === directory
  );
}
