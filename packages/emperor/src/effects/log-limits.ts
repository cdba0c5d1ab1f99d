import type { LogLimits } from '@emperor/vassal/keeper/facts';
import type { OutputSpec } from '@emperor/vassal/spec/spec';

/** The output options as the keeper takes them. */
export function logLimits(output: OutputSpec): LogLimits {
  return { maxBytes: output.logMaxBytes, keep: output.logKeep, linesPerSecond: output.logRate };
}
