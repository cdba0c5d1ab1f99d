import { rename, rm } from 'node:fs/promises';
import type { Clock } from '@emperor/common/clock';
import { isErrno } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { listenTo } from './effects/listen.ts';
import type { World } from './effects/world.ts';
import type { Emperor } from './emperor.ts';
import { groupsOf, killProcess, logDirOf } from './groups.ts';
import type { Host } from './host.ts';
import { prepareJail } from './jails.ts';

type Parts = { readonly emperor: Emperor; readonly host: Host; readonly clock: Clock; readonly log: Log };

/** The real world of the executors. */
export function buildWorld({ emperor, host, clock, log }: Parts): World {
  const world: World = {
    emperor,
    clock,
    log,
    store: host.store,
    random: Math.random,
    startKeeper: (name, listener) => host.keepers.start({ name, logDir: logDirOf(host, name) }, listener),
    endForeign: host.keepers.endForeign,
    listen: (held) => listenTo(world, held),
    prepare: (spec, generation) => prepareJail(host, spec, generation),
    groups: groupsOf(host, clock),
    killProcess,
    freeUid: (name) => {
      host.uids.free(name);
      host.idRanges.free(name);
    },
    disinherit: async (name) => {
      const aside = `${host.paths.logDir}/.${name}.former`;
      await rm(aside, { recursive: true, force: true });
      await rename(logDirOf(host, name), aside).catch((error: unknown) => {
        if (!isErrno(error, 'ENOENT')) throw error;
      });
    },
  };
  return world;
}
