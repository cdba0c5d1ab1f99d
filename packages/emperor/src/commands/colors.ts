import type { StateName } from '@emperor/common/control/api';

export type Paint = (text: string) => string;

/** How text is marked on a terminal; without colours every paint returns its text. */
export type Palette = Readonly<Record<'bold' | 'dim' | 'green' | 'yellow' | 'red', Paint>>;

const CODES = { bold: 1, dim: 2, green: 32, yellow: 33, red: 31 } as const;

/** The palette for a terminal, or one that leaves text as it is. */
export function paletteFor(io: { readonly colors: boolean }): Palette {
  const paint = (code: number): Paint =>
    io.colors ? (text) => `\u001b[${code}m${text}\u001b[0m` : (text) => text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    red: paint(CODES.red),
  };
}

const STATE_COLOR: Readonly<Record<StateName, keyof Palette>> = {
  running: 'green',
  listening: 'green',
  starting: 'yellow',
  stopping: 'yellow',
  'backing-off': 'red',
  failed: 'red',
  stopped: 'dim',
};

/** The paint of a state, the same everywhere. */
export function statePaint(palette: Palette, state: StateName): Paint {
  return palette[STATE_COLOR[state]] ?? ((text) => text);
}
