import { EmperorError } from '@emperor/common/errors';

/** The prober follows with the next commit. */
export async function drillOf(): Promise<never> {
  throw new EmperorError('request_invalid', 'this emperor has no drill');
}
