import { duration, parsed, repeated, text } from '@emperor/common/options/kinds';
import { type Kind, type Option, option } from '@emperor/common/options/option';
import { decodeHook, type Hook } from './hook.ts';

const group = 'hooks';
const LONGEST_MS = 60 * 60 * 1_000;

const hook: Kind<Hook> = parsed(text, decodeHook, {
  name: 'hook',
  hint: 'hook such as exec:/usr/local/sbin/prepare or mount:none /data /srv/data bind,ro',
  format: ({ written }) => [written],
});

function hookRow(help: string): Option<readonly Hook[]> {
  return option({
    kind: repeated(hook),
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help,
  });
}

/** What the operator has done around the jail. */
export const hooks = {
  'hook-pre-jail': hookRow(
    "Done before the jail is made: as root, with the host's files and processes. What it mounts is seen by this vassal only.",
  ),
  'hook-post-jail': hookRow(
    "Done as root in the new namespaces, before anything of the jail is mounted: the host's files are still there.",
  ),
  'hook-as-root': hookRow('Done as root when the jail stands, just before the app loses root.'),
  'hook-as-user': hookRow('Done as the app, with all its restrictions, before it starts.'),
  'hook-post-stop': hookRow(
    'Done as root, outside, when nothing of the jail is left: after a stop, a crash and a failed launch alike.',
  ),
  'hook-timeout': option({
    kind: duration(1, LONGEST_MS),
    default: 30_000,
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'The time that each single hook has; one that needs longer is killed with everything it started, and the launch fails. After a stop nothing can fail any more: it is told, and the other hooks still run.',
  }),
};
