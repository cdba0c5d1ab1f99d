import type { Action } from '@emperor/common/control/api';
import { EmperorError } from '@emperor/common/errors';
import type { VassalName } from '@emperor/common/name';

import type { Caller } from '../ports.ts';

/** What somebody asks for: to see something, or to change a vassal. */
export type Permission = 'see' | 'drill' | Action;

/** Throws EmperorError('not_permitted') unless `caller` may do this to `name`; undefined: to the emperor as a whole. */
export function authorize(caller: Caller, permission: Permission, name: VassalName | undefined): void {
  if (mayDo(caller)) return;
  const what = name === undefined ? 'the emperor' : `vassal ${name}`;
  throw new EmperorError('not_permitted', `you may not ${permission} ${what}`);
}

function mayDo(caller: Caller): boolean {
  switch (caller.rank) {
    // Who can open this socket is root or in the control group: everything.
    case 'operator':
      return true;
  }
}
