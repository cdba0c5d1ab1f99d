import { STATUS_FORMAT } from '@emperor/common/control/api';
import { EXIT } from '@emperor/common/errors';
import { type Arguments, type CommandIo, isSet } from './command.ts';
import { controlOf } from './control.ts';
import { askEmperor, isAlive, pause } from './emperor-process.ts';

const LOOK_AGAIN_MS = 50;

/**
 * `emperor shutdown`: every vassal stops as its file says, then the emperor ends; resolves when it is gone. It takes as
 * long as the slowest stop-timeout. Nobody is marked as stopped: the next emperor starts them all.
 */
export async function runShutdown(args: Arguments, io: CommandIo): Promise<number> {
  const emperor = await controlOf(args).emperor();
  askEmperor(emperor, 'SIGTERM');
  while (isAlive(emperor.pid)) await pause(io, LOOK_AGAIN_MS);
  io.out(
    isSet(args, 'json')
      ? `${JSON.stringify({ format: STATUS_FORMAT, pid: emperor.pid, vassals: emperor.vassals })}\n`
      : `emperor ${emperor.version} (pid ${emperor.pid}) has stopped its ${emperor.vassals} vassals and gone\n`,
  );
  return EXIT.ok;
}
