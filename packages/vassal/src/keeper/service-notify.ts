import { spawn } from 'node:child_process';
import type { Log } from '@emperor/common/log/log';

/** Says a line of sd_notify to whoever started us; resolves when it was said, or could not be. */
export type ServiceNotify = (text: string) => Promise<void>;

/** What `serviceNotify` needs. */
export type ServiceNotifyParts = {
  readonly keeperBinary: string;
  /** NOTIFY_SOCKET as the service manager gave it; undefined: nobody wants to know. */
  readonly socket: string | undefined;
  readonly log: Log;
};

/** Word to the service manager (systemd's Type=notify) through the keeper binary: Node has no unix datagrams. */
export function serviceNotify({ keeperBinary, socket, log }: ServiceNotifyParts): ServiceNotify {
  if (socket === undefined || socket === '') return async () => undefined;
  return (text) =>
    new Promise((resolve) => {
      const child = spawn(keeperBinary, ['notify', text], {
        stdio: ['ignore', 'ignore', 'pipe'],
        cwd: '/',
        env: { NOTIFY_SOCKET: socket },
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString('utf8')).slice(0, 300);
      });
      child.on('error', (error) => {
        said = error.message;
      });
      child.once('close', (code) => {
        if (code !== 0) log.warn('the service manager was not told', { text, error: said.trim() });
        resolve();
      });
    });
}
