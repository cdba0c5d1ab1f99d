import { Writable } from 'node:stream';

import { type Clock, systemClock } from '@emperor/common/clock';
import type { Log, LogFields, LogLevel } from '@emperor/common/log/log';
import { neutralise } from '@emperor/common/terminal';
import { createLogger, transports } from 'winston';

export type WinstonLogParts = {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Takes one line with its newline; stderr when it is left out. */
  readonly write?: (line: string) => void;
  readonly clock?: Pick<Clock, 'wall'>;
};

/** What may wait for a reader of stderr that does not read; lines beyond that are dropped and counted. */
const MOST_WAITING_BYTES = 1024 * 1024;

const LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
const PLAIN = /^[\w./:@%+,-]+$/;

/** The emperor's own log, one line for each message: text for people or JSON for machines. */
export function winstonLog({ level, format, write = toStderr(), clock = systemClock }: WinstonLogParts): Log {
  const lines = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      write(String(chunk));
      done();
    },
  });
  const logger = createLogger({
    level,
    levels: LEVELS,
    format: { transform: (info) => ({ ...info, [MESSAGE]: info['line'] }) },
    transports: [new transports.Stream({ stream: lines })],
  });
  const render = format === 'json' ? renderJson : renderText;
  const at =
    (of: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (!logger.isLevelEnabled(of)) return;
      const line = render({ at: new Date(clock.wall()).toISOString(), level: of, message, fields });
      logger.log({ level: of, message, line });
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** Where winston's transports look for the finished line. */
const MESSAGE = Symbol.for('message');

type Entry = {
  readonly at: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
};

function renderText({ at, level, message, fields }: Entry): string {
  const facts = known(fields).map(([key, value]) => ` ${key}=${quote(neutralise(String(value)))}`);
  return `${at} ${level} ${neutralise(message)}${facts.join('')}`;
}

function renderJson({ at, level, message, fields }: Entry): string {
  const facts = known(fields).map(([key, value]) => [
    key,
    typeof value === 'string' ? neutralise(value) : value,
  ]);
  return JSON.stringify({ ...Object.fromEntries(facts), at, level, message: neutralise(message) });
}

function known(fields: LogFields): [string, string | number | boolean][] {
  return Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
}

/** So that `key=value` can be told apart again. */
function quote(value: string): string {
  return PLAIN.test(value) ? value : JSON.stringify(value);
}

function toStderr(): (line: string) => void {
  let dropped = 0;
  return (line) => {
    if (process.stderr.writableLength > MOST_WAITING_BYTES) {
      dropped += 1;
      return;
    }
    if (dropped > 0) process.stderr.write(`${dropped} lines of the log were dropped: nobody reads it\n`);
    dropped = 0;
    process.stderr.write(line);
  };
}
