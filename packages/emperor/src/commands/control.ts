import { join } from 'node:path';
import { ControlClient } from '@emperor/common/control/client';
import { type Arguments, DEFAULT_RUNTIME_DIR, textOf } from './command.ts';

export const CONTROL_SOCKET = 'control.sock';

/** The emperor that the command line means. */
export function controlOf(args: Arguments): ControlClient {
  return new ControlClient(join(textOf(args, 'runtime-dir') ?? DEFAULT_RUNTIME_DIR, CONTROL_SOCKET));
}
