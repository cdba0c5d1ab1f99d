import type { Log, LogFields, LogLevel } from '@emperor/common/log/log';

export type LogRecord = {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields | undefined;
};

/** A log that only remembers. */
export function recordingLog(): { readonly log: Log; readonly records: readonly LogRecord[] } {
  const records: LogRecord[] = [];
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      records.push({ level, message, fields });
    };
  return { log: { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }, records };
}
