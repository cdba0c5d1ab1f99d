import type { Cancel, Clock } from '@emperor/common/clock';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import type { VassalName } from '@emperor/common/name';
import { pacedBy } from '@emperor/common/pace';
import { judgeAbsence, type Suspicion } from './core/absence.ts';
import { type Decoded, type FileText, readFile, recollect, refuseFile } from './core/file-state.ts';
import { memoryOf, textHash } from './effects/record.ts';
import type { Emperor } from './emperor.ts';
import type { Held } from './held.ts';
import type { Monitor, Scan, SourceFile } from './ports.ts';
import type { InHand } from './store/in-hand.ts';
import type { MemoryStore } from './store/memory.ts';

const SAFETY_SCAN_MS = 60_000;

/** Between a pass and the next one when hints came meanwhile. */
const BREATHER_MS = 10;
/** After so many passes in a row that found nothing it is noise: then hints are gathered. */
const EMPTY_PASSES_AT_ONCE = 2;

/** Files are decoded this long before everybody else has a turn. */
const LONGEST_TURN_MS = 8;

/** Vassal texts become specs. `prepare` asks about the users and groups they name, off the loop. */
export type Decoder = {
  readonly prepare: (files: readonly FileText[]) => Promise<void>;
  readonly decode: (file: FileText) => Decoded;
};

export type SourceParts = {
  readonly monitor: Monitor;
  readonly emperor: Emperor;
  readonly decoder: Decoder;
  readonly store: MemoryStore;
  readonly inHand: InHand;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * The directory as the truth: every hint leads to a full scan, every scan to the desired side of the vassals.
 *
 * INVARIANT: one scan at a time; a hint that comes during a scan leads to another one.
 */
export class Source {
  readonly #parts: SourceParts;
  readonly #fingerprints = new Map<VassalName, string>();
  #directory: string | undefined;
  #suspicion: Suspicion | undefined;
  #diagnostics: readonly Diagnostic[] = [];
  #looking: Promise<void> | undefined;
  #again = false;
  #first = true;
  #wake: Cancel | undefined;
  #closed = false;

  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  /** What is wrong with the source itself; while anything is, absence proves nothing. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  /** Look now, and once more if something changes meanwhile. */
  look(): Promise<void> {
    if (this.#looking !== undefined) {
      this.#again = true;
      return this.#looking;
    }
    this.#looking = this.#lookUntilQuiet().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** SIGHUP: judge every file anew (users and emperor.ini may have changed). */
  lookAgain(): Promise<void> {
    this.#fingerprints.clear();
    return this.look();
  }

  /** Watch, and look for the first time. */
  async begin(): Promise<void> {
    await this.#parts.monitor.watch(() => void this.look());
    await this.look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#parts.monitor.close();
  }

  async #lookUntilQuiet(): Promise<void> {
    for (let empty = 0; ; ) {
      this.#again = false;
      const found = await this.#lookOnce().catch((error: unknown) => {
        this.#parts.log.error('scan failed', { error: describeError(error), stack: stackOf(error) });
        return 0;
      });
      if (!this.#again || this.#closed) break;
      // What a pass found is started before the next one; a pass that found nothing (an editor's temporary file)
      // must not hold up what the hint that came meanwhile is about.
      empty = found > 0 ? 0 : empty + 1;
      if (found > 0 || empty > EMPTY_PASSES_AT_ONCE)
        await new Promise<void>((resolve) => this.#parts.clock.after(BREATHER_MS, resolve));
    }
    this.#setWake();
  }

  /** Resolves with the number of files that were new or had changed. */
  async #lookOnce(): Promise<number> {
    const { monitor, decoder } = this.#parts;
    const scan = await monitor.scan();
    const changed = [...scan.files.values()].filter(
      (file) => this.#fingerprints.get(file.name) !== file.fingerprint,
    );
    const texts = changed.map((file) => ({ file, text: fileText(file) }));
    if (texts.length > 0) await decoder.prepare(texts.map(({ text }) => text));
    if (texts.length > 0) this.#parts.emperor.unsettleOrder();
    const pace = pacedBy(this.#parts.clock, LONGEST_TURN_MS);
    for (const { file, text } of texts) {
      await pace();
      this.#read(file, text);
    }
    for (const refused of scan.refused.values()) this.#refuse(scan, refused.name);
    this.#judge(scan);
    if (changed.length > 0 || scan.refused.size > 0) this.#parts.emperor.reorder();
    return changed.length;
  }

  #read(file: SourceFile, text: FileText): void {
    const { emperor, decoder, inHand, log } = this.#parts;
    const held = emperor.hold(file.name);
    this.#fingerprints.set(file.name, file.fingerprint);
    const before = held.file;
    const mark = `${file.name} ${textHash(file.text)}`;
    const decode = (one: FileText): Decoded => {
      if (inHand.isQuarantined(mark))
        return failed(one.path, 'was being read at two crashes of the emperor', 'edit it');
      try {
        return inHand.with(mark, () => decoder.decode(one));
      } catch (error) {
        log.error('vassal file not understood', {
          vassal: file.name,
          error: describeError(error),
          stack: stackOf(error),
        });
        return failed(
          one.path,
          `internal error: ${describeError(error)}`,
          'report it with the stack in the log',
        );
      }
    };
    const known = before ?? recollect(held.memory, held.launchedWith, text, textHash);
    held.file = readFile(known, text, decode, textHash);
    held.gone = false;
    if (before === undefined) this.#relate(held, text, decode);
    this.#remember(held);
    emperor.mark(held);
    const revision = held.file.good?.revision;
    const problems = held.file.diagnostics.length;
    // A boot of 1,000 good files is no news of 1,000 lines.
    const level = problems > 0 ? 'warn' : 'debug';
    if (problems > 0 || revision !== before?.good?.revision) {
      log[level]('vassal file read', { vassal: file.name, revision, problems });
    }
  }

  #refuse(scan: Scan, name: VassalName): void {
    const refused = scan.refused.get(name);
    if (refused === undefined) return;
    const held = this.#parts.emperor.hold(name);
    this.#fingerprints.delete(name);
    held.file = refuseFile(held.file, refused);
    held.gone = false;
    this.#parts.emperor.mark(held);
  }

  #judge(scan: Scan): void {
    const { emperor, clock } = this.#parts;
    const sameDirectory = this.#directory === undefined || scan.directory === this.#directory;
    const present = new Set([...scan.files.keys(), ...scan.refused.keys()]);
    const known = new Set(emperor.vassals.keys());
    if (!scan.complete || (!sameDirectory && [...known].some((name) => !present.has(name)))) {
      this.#suspicion = undefined;
      this.#diagnostics = scan.complete ? [...scan.diagnostics, replaced(scan)] : scan.diagnostics;
      return;
    }
    this.#directory = scan.directory;
    const absence = judgeAbsence(known, present, this.#suspicion, { now: clock.now(), first: this.#first });
    this.#first = false;
    this.#suspicion = absence.suspicion;
    this.#diagnostics =
      absence.suspicion === undefined ? scan.diagnostics : [...scan.diagnostics, vanished(absence.suspicion)];
    for (const name of absence.gone) this.#remove(name);
  }

  #remove(name: VassalName): void {
    const held = this.#parts.emperor.hold(name);
    this.#fingerprints.delete(name);
    if (held.file !== undefined) this.#parts.log.info('vassal file gone', { vassal: name });
    held.file = undefined;
    held.gone = true;
    this.#parts.emperor.mark(held);
  }

  #remember(held: Held): void {
    const memory = memoryOf(held);
    if (memory === undefined) return;
    const before = held.memory;
    held.memory = memory;
    if (before === undefined || before.mtime !== memory.mtime || before.good?.text !== memory.good?.text) {
      this.#parts.store.saveLater(held.name, memory);
    }
  }

  /** An adopted generation: what its revision was is what the file says now, or what it said when it last was good. */
  #relate(held: Held, file: FileText, decode: (file: FileText) => Decoded): void {
    const { attempt, memory } = held;
    if (attempt === undefined || attempt.spec !== undefined) return;
    const now = held.file?.good;
    const last = memory?.good;
    const then =
      now?.revision !== attempt.revision && last !== undefined ? decode({ ...file, ...last }) : now;
    if (then?.revision === attempt.revision && then.spec !== undefined)
      held.attempt = { ...attempt, spec: then.spec };
  }

  #setWake(): void {
    if (this.#closed) return;
    const { monitor, clock } = this.#parts;
    const suspicionMs = this.#suspicion === undefined ? undefined : this.#suspicion.until - clock.now();
    const soonest = Math.min(
      SAFETY_SCAN_MS,
      monitor.unsettledMs() ?? SAFETY_SCAN_MS,
      suspicionMs ?? SAFETY_SCAN_MS,
    );
    this.#wake?.();
    this.#wake = clock.after(Math.max(soonest, 1), () => void this.look());
  }
}

function fileText(file: SourceFile): FileText {
  const { path, target, ownerUid, mtimeNs, text } = file;
  return { path, target, ownerUid, mtime: String(mtimeNs), text };
}

function failed(file: string, message: string, hint: string): Decoded {
  const diagnostic: Diagnostic = { severity: 'error', file, line: undefined, key: undefined, message, hint };
  return { spec: undefined, revision: undefined, diagnostics: [diagnostic] };
}

function sourceDiagnostic(message: string, hint: string): Diagnostic {
  return { severity: 'error', file: 'vassals directory', line: undefined, key: undefined, message, hint };
}

function replaced(scan: Scan): Diagnostic {
  return sourceDiagnostic(
    `is another directory than before (${scan.directory ?? 'unreadable'}): files that are missing in it keep running`,
    'if it is meant to be the new truth, restart the emperor: vassals live on',
  );
}

function vanished(suspicion: Suspicion): Diagnostic {
  return sourceDiagnostic(
    `${suspicion.names.size} files vanished at once: looked at again before they are believed to be gone`,
    'nothing to do: if they are still missing in 10 s their vassals stop',
  );
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
