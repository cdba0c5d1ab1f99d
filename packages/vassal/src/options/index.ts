import type { Values } from '@emperor/common/options/option';
import { app } from './app.ts';
import { filters } from './filters.ts';
import { hooks } from './hooks.ts';
import { identity } from './identity.ts';
import { isolation } from './isolation.ts';
import { joining } from './joining.ts';
import { lifecycle } from './lifecycle.ts';
import { limits } from './limits.ts';
import { output } from './output.ts';
import { root } from './root.ts';
import { scheduling } from './scheduling.ts';

/** Every option of a vassal file: the only such list in the repository. */
export const vassalOptions = {
  ...app,
  ...identity,
  ...isolation,
  ...root,
  ...joining,
  ...hooks,
  ...filters,
  ...limits,
  ...scheduling,
  ...lifecycle,
  ...output,
};

export type VassalOptions = typeof vassalOptions;
export type VassalOptionName = keyof VassalOptions;
export type VassalValues = Values<VassalOptions>;
