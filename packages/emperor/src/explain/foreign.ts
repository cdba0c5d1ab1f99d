import type { VassalName } from '@emperor/common/name';

/** That a keeper of another protocol version holds this vassal, and what to do about it. */
export function describeForeign(
  name: VassalName,
  { version }: { readonly version: number },
): { readonly what: string; readonly hint: string } {
  return {
    what: `held by a keeper of protocol version ${version}`,
    hint: `emperor restart ${name} replaces it`,
  };
}
