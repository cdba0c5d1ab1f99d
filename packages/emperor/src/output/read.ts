import { join } from 'node:path';

import { type Clock, systemClock } from '@emperor/common/clock';
import { neutralise } from '@emperor/common/terminal';

import type { LogReader } from '../ports.ts';
import { followFrom, LogPosition } from './follow.ts';

/** Reads what the keepers write to `logDir`/NAME: `current`, and `current.1` … with the newest first. */
export function logReader({
  logDir,
  clock = systemClock,
}: {
  readonly logDir: string;
  readonly clock?: Clock;
}): LogReader {
  return {
    tail: async (name, count) => tail(join(logDir, name), count),
    follow: (name, count, signal) => follow(join(logDir, name), count, { clock, signal }),
  };
}

async function tail(directory: string, count: number): Promise<readonly string[]> {
  const position = new LogPosition(directory);
  const last: string[] = [];
  try {
    await position.toLast(count);
    while (last.length < count) {
      const lines = await position.next();
      if (lines.length === 0) break;
      last.push(...lines.slice(0, count - last.length));
    }
  } finally {
    await position.close();
  }
  return last.map(neutralise);
}

async function* follow(
  directory: string,
  count: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncIterable<string> {
  const position = new LogPosition(directory);
  try {
    await position.toLast(count);
    for await (const line of followFrom(position, directory, clock, signal)) yield neutralise(line);
  } finally {
    await position.close();
  }
}
