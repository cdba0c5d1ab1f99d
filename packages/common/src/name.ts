declare const vassalName: unique symbol;

/** A legal vassal name; also one flat word on disk, in control groups and in URLs. */
export type VassalName = string & { readonly [vassalName]: true };

const LEGAL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const SUFFIX = '.ini';

/** The name in `text`, or undefined when it is not one. */
export function decodeVassalName(text: string): VassalName | undefined {
  return isVassalName(text) ? text : undefined;
}

/** The vassal that a directory entry names, or undefined for entries that are not vassal files. */
export function vassalNameOfFile(entry: string): VassalName | undefined {
  return entry.endsWith(SUFFIX) ? decodeVassalName(entry.slice(0, -SUFFIX.length)) : undefined;
}

function isVassalName(text: string): text is VassalName {
  return LEGAL.test(text) && !text.includes('..');
}
