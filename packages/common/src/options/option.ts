/** A value as it was written: text plus where, so that every diagnostic can point at it. */
export type RawValue = {
  readonly value: string;
  readonly file: string;
  readonly line: number | undefined;
};

/** Which layer a value came from; later layers win. Design §5 "Layers". */
export type Layer = 'built-in' | 'defaults' | 'file' | 'force';

/**
 * `ok` with the value, or what was expected (`expected a size such as 512M`) as one phrase. `index`: which of several
 * values it was, so that the diagnostic names its line; the first where absent.
 */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly index?: number };

/**
 * How the text of an option becomes a value. `repeat`: the key may stand several times and every value counts
 * (`decodeAll` gets all of them in order; a kind that does not repeat gets exactly one).
 */
export type Kind<T> = {
  readonly name: string;
  /** Shown in help and reference: `size such as 512M`. */
  readonly hint: string;
  readonly repeat: boolean;
  readonly decodeAll: (values: readonly string[]) => Decoded<T>;
  /** JSON schema of the text form of one value. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The text form of a value, one item for each time the key would stand; `[]` = the key would not stand at all. */
  format?(value: T): readonly string[];
};

export type OnChange = 'live' | 'reload' | 'restart';

export type Option<T> = {
  readonly kind: Kind<T>;
  readonly default: T;
  /** The version that brought it. */
  readonly since: string;
  readonly who: 'tenant' | 'operator';
  /** What an edit of this option does to a running vassal. */
  readonly onChange: OnChange;
  readonly group: string;
  readonly help: string;
};

export type Table = Readonly<Record<string, Option<unknown>>>;
export type Values<T extends Table> = { readonly [K in keyof T]: T[K]['default'] };

/** A row of the table. The kind alone decides T, so a wrong default is a compile error. */
export function option<T>(row: Omit<Option<T>, 'default'> & { readonly default: NoInfer<T> }): Option<T> {
  return row;
}
