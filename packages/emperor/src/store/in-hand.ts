import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const CRASHES_ALLOWED = 1;

/** One record, always written over: a file that never grows or shrinks needs no journal. */
const RECORD_BYTES = 128;
const NOTHING = ' '.repeat(RECORD_BYTES);

/** Which vassal file is being decoded right now, written so that a crash leaves it behind. */
export type InHand = {
  /** Run `work` with `file` in hand. */
  readonly with: <T>(file: string, work: () => T) => T;
  /** Was this very text in hand at two crashes? Then it is not touched again until it changes. */
  readonly isQuarantined: (file: string) => boolean;
  readonly close: () => void;
};

/**
 * A poison file must cost one vassal, not the emperor over and over. `DIRECTORY/in-hand` holds what is in hand (no
 * fsync: it has to survive our crash, not the machine's), `DIRECTORY/crashes` how often what was found there. Best
 * effort: on a full or read-only disk nothing is remembered and everything goes on. `file` should name text and
 * place, e.g. `blog 9f2c…`.
 */
export function inHand(directory: string): InHand {
  const crashes = readCrashes(join(directory, 'crashes'));
  const left = readText(join(directory, 'in-hand'));
  if (left !== '') {
    crashes.set(left, (crashes.get(left) ?? 0) + 1);
    attempt(() => writeCrashes(join(directory, 'crashes'), crashes));
  }
  const fd = attempt(() => openSync(join(directory, 'in-hand'), 'w', 0o600));
  return {
    with: (file, work) => {
      if (fd !== undefined) attempt(() => writeSync(fd, file.padEnd(RECORD_BYTES), 0));
      try {
        return work();
      } finally {
        if (fd !== undefined) attempt(() => writeSync(fd, NOTHING, 0));
      }
    },
    isQuarantined: (file) => (crashes.get(file) ?? 0) > CRASHES_ALLOWED,
    close: () => {
      if (fd !== undefined) closeSync(fd);
    },
  };
}

function attempt<T>(effect: () => T): T | undefined {
  try {
    return effect();
  } catch {
    return undefined;
  }
}

function readCrashes(path: string): Map<string, number> {
  const lines = readText(path).split('\n');
  const pairs = lines.map((line) => /^(\d+) (.+)$/.exec(line)).filter((match) => match !== null);
  return new Map(pairs.map((match) => [match[2] ?? '', Number(match[1])]));
}

function writeCrashes(path: string, crashes: ReadonlyMap<string, number>): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    writeSync(fd, [...crashes].map(([file, count]) => `${count} ${file}\n`).join(''));
  } finally {
    closeSync(fd);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
