import type { EmperorJson } from '@emperor/common/control/api';
import { EmperorError, EXIT } from '@emperor/common/errors';
import type { Arguments, CommandIo } from './command.ts';
import { isSet } from './command.ts';
import { controlOf } from './control.ts';
import { askEmperor, isAlive, pause } from './emperor-process.ts';

const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 20;

/** `emperor handover`: the running emperor exits, all vassals live on; resolves when it is gone. */
export async function runHandover(args: Arguments, io: CommandIo): Promise<number> {
  const emperor = await controlOf(args).emperor();
  askEmperor(emperor, 'SIGUSR1');
  const deadline = io.clock.now() + PATIENCE_MS;
  while (isAlive(emperor.pid)) {
    if (io.clock.now() > deadline) throw stillThere(emperor);
    await pause(io, LOOK_AGAIN_MS);
  }
  io.out(
    isSet(args, 'json')
      ? `${JSON.stringify({ format: 1, pid: emperor.pid, vassals: emperor.vassals })}\n`
      : `emperor ${emperor.version} (pid ${emperor.pid}) has gone and left ${emperor.vassals} vassals as they are\n` +
          'hint: the next one adopts them: emperor run\n',
  );
  return EXIT.ok;
}

function stillThere({ pid }: EmperorJson): EmperorError {
  return new EmperorError(
    'outcome_failed',
    `the emperor (pid ${pid}) still runs after ${PATIENCE_MS / 1000}s`,
    {
      hint: 'look at its own log; kill -9 of it leaves all vassals running too',
    },
  );
}
