import type { Diagnostic } from '@emperor/common/diagnostic';
import { hasErrors } from '@emperor/common/diagnostic';
import type { Log } from '@emperor/common/log/log';
import type { OperatorLayer } from '@emperor/vassal/file/check';
import type { EmperorSettings } from './settings.ts';
import { loadSettings } from './settings-load.ts';

/** What of emperor.ini may change while the emperor runs: the layers of options. Paths and sockets need a restart. */
export type Configuration = {
  readonly layers: () => {
    readonly defaults: OperatorLayer | undefined;
    readonly force: OperatorLayer | undefined;
  };
  /** What is wrong with the file as it is now; the last good one stays in force. */
  readonly diagnostics: () => readonly Diagnostic[];
  readonly reload: () => Promise<void>;
};

export function configurationOf(first: EmperorSettings, log: Log): Configuration {
  let settings = first;
  let diagnostics = first.diagnostics;
  return {
    layers: () => ({ defaults: settings.defaults, force: settings.force }),
    diagnostics: () => diagnostics,
    reload: async () => {
      const next = await loadSettings(first.flags);
      diagnostics = next.diagnostics;
      if (hasErrors(diagnostics)) {
        log.error('emperor.ini has errors: the one read before stays in force', {
          problems: diagnostics.length,
        });
        return;
      }
      settings = next;
    },
  };
}
