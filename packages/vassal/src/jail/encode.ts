import { EmperorError } from '@emperor/common/errors';
import { LONGEST_BLOB } from '../keeper/protocol.ts';
import { DIRECTIVES, type Directive } from './directive.ts';

/** The blob of a launch: every word and argument ended by NUL. Refuses what the keeper would refuse or misread. */
export function encodeDirectives(directives: readonly Directive[]): Uint8Array {
  const words = directives.flatMap((directive) => checked(directive));
  const blob = Buffer.from(words.map((word) => `${word}\0`).join(''), 'utf8');
  if (blob.length <= LONGEST_BLOB) return blob;
  throw new EmperorError(
    'jail_failed',
    `the jail takes ${blob.length} bytes to describe, at most ${LONGEST_BLOB}`,
    {
      hint: 'shorten command and env, or put variables into an env-file',
    },
  );
}

function checked({ word, args }: Directive): readonly string[] {
  const wanted = DIRECTIVES[word];
  if (args.length !== wanted)
    throw new EmperorError('jail_failed', `${word} takes ${wanted} arguments, not ${args.length}`);
  if (args.some((argument) => argument.includes('\0'))) {
    throw new EmperorError('jail_failed', `an argument of ${word} holds a NUL byte`);
  }
  return [word, ...args];
}
