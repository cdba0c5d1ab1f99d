export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The emperor's own log: a message (lower case, no period) and facts as fields. Implementations: winston-log. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;
