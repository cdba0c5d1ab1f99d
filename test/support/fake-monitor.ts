import type { Diagnostic } from '@emperor/common/diagnostic';
import { decodeVassalName, type VassalName } from '@emperor/common/name';

import type { Monitor, RefusedFile, Scan, SourceFile } from '../../packages/emperor/src/ports.ts';

const DIRECTORY = '/fake/vassals';

/** A source of vassal files in memory. `hint` is called by every change, as a real one does sooner or later. */
export class FakeMonitor implements Monitor {
  readonly #files = new Map<VassalName, SourceFile>();
  readonly #refused = new Map<VassalName, RefusedFile>();
  #broken: string | undefined;
  #unsettledMs: number | undefined;
  #onHint: (() => void) | undefined;
  /** Makes every time and fingerprint one of a kind. */
  #ticks = 0n;
  /** Which directory it says it is. */
  directory = '1:1';

  readonly watch = async (onHint: () => void): Promise<void> => {
    this.#onHint = onHint;
  };

  readonly scan = async (): Promise<Scan> => {
    if (this.#broken !== undefined) {
      const diagnostics = [error(DIRECTORY, this.#broken)];
      return { complete: false, directory: undefined, files: new Map(), refused: new Map(), diagnostics };
    }
    const { directory } = this;
    return {
      complete: true,
      directory,
      files: new Map(this.#files),
      refused: new Map(this.#refused),
      diagnostics: [],
    };
  };

  readonly unsettledMs = (): number | undefined => this.#unsettledMs;

  readonly close = async (): Promise<void> => {
    this.#onHint = undefined;
  };

  /** Write the file of `name`: new content, new time. */
  put(name: string, text: string, ownerUid = 0): void {
    this.#ticks += 1n;
    const path = `${DIRECTORY}/${name}.ini`;
    this.#refused.delete(legal(name));
    this.#files.set(legal(name), {
      name: legal(name),
      path,
      target: path,
      ownerUid,
      mtimeNs: this.#ticks * 1_000_000n,
      fingerprint: `file ${this.#ticks}`,
      text,
    });
    this.hint();
  }

  /** A new modification time, the same content. */
  touch(name: string): void {
    const file = this.#files.get(legal(name));
    if (file === undefined) throw new Error(`no file of ${name}`);
    this.put(name, file.text, file.ownerUid);
  }

  /** A new fingerprint; the same time and content. */
  disturb(name: string): void {
    const file = this.#files.get(legal(name));
    if (file === undefined) throw new Error(`no file of ${name}`);
    this.#ticks += 1n;
    this.#files.set(file.name, { ...file, fingerprint: `file ${this.#ticks}` });
    this.hint();
  }

  /** The file is there and may not be used. */
  refuse(name: string, message: string, ownerUid?: number): void {
    const path = `${DIRECTORY}/${name}.ini`;
    this.#files.delete(legal(name));
    this.#refused.set(legal(name), { name: legal(name), path, ownerUid, diagnostic: error(path, message) });
    this.hint();
  }

  remove(name: string): void {
    this.#files.delete(legal(name));
    this.#refused.delete(legal(name));
    this.hint();
  }

  /** From now on the source cannot be read. */
  break(message: string): void {
    this.#broken = message;
    this.hint();
  }

  mend(): void {
    this.#broken = undefined;
    this.hint();
  }

  /** Say that content is too young for `ms` more; undefined: no more. */
  unsettle(ms: number | undefined): void {
    this.#unsettledMs = ms;
  }

  hint(): void {
    this.#onHint?.();
  }
}

function legal(name: string): VassalName {
  const decoded = decodeVassalName(name);
  if (decoded === undefined) throw new Error(`not a vassal name: ${name}`);
  return decoded;
}

function error(file: string, message: string): Diagnostic {
  return { severity: 'error', file, line: undefined, key: undefined, message, hint: undefined };
}
