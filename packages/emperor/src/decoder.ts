import { dirname } from 'node:path';
import type { Clock } from '@emperor/common/clock';
import { hasErrors } from '@emperor/common/diagnostic';
import { vassalNameOfFile } from '@emperor/common/name';
import { pacedBy } from '@emperor/common/pace';
import { type OperatorLayer, readVassalFile, type VassalSource } from '@emperor/vassal/file/check';
import { readList } from '@emperor/vassal/host/read-list';
import { vassalOptions } from '@emperor/vassal/options';
import type { Accounts, AccountsQuery, User } from '@emperor/vassal/spec/accounts';
import { accountsAsked, type BuiltSpec, buildSpec } from '@emperor/vassal/spec/build';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import { powersOf } from '@emperor/vassal/spec/owner';
import { revisionOf } from '@emperor/vassal/spec/revision';
import type { Owner } from '@emperor/vassal/spec/spec';
import type { Decoded, FileText } from './core/file-state.ts';
import type { Decoder } from './source.ts';

export type DecoderParts = {
  readonly clock: Clock;
  readonly host: HostFacts;
  readonly hostname: string;
  /** Asks the user and group databases, off the loop. */
  readonly ask: (query: AccountsQuery) => Promise<Accounts>;
  /** [defaults] and [force] of emperor.ini as they are now. */
  readonly layers: () => {
    readonly defaults: OperatorLayer | undefined;
    readonly force: OperatorLayer | undefined;
  };
};

/** What a text means, with where each option came from; `spec` undefined when it means nothing valid. */
export type Explained = BuiltSpec & { readonly owner: Owner };

export type Explainer = { readonly explain: (file: FileText) => Explained };

/** Files are parsed this long before everybody else has a turn. */
const LONGEST_TURN_MS = 8;

const NOBODY: AccountsQuery = { userNames: new Set(), uids: new Set(), groupNames: new Set() };

/** Vassal texts become specs: parse, layers, options, policy, accounts, host. */
export async function decoderOf(parts: DecoderParts): Promise<Decoder & Explainer> {
  let accounts = await parts.ask(NOBODY);
  /** What `prepare` parsed already; a text is prepared and decoded as one object. */
  const parsed = new WeakMap<FileText, VassalSource>();
  const decode = (file: FileText): Decoded => {
    const source = parsed.get(file) ?? sourceOf(parts, accounts, file);
    const { spec, diagnostics } = buildSpec(source, { accounts, host: parts.host, readList });
    const all = [...source.diagnostics, ...diagnostics];
    if (spec === undefined || hasErrors(all))
      return { spec: undefined, revision: undefined, diagnostics: all };
    return { spec, revision: revisionOf(spec), diagnostics: all };
  };
  return {
    prepare: async (files) => {
      // Whose the files are comes first: their names and homes are part of what the files say.
      const uids = new Set(files.map(({ ownerUid }) => ownerUid));
      accounts = await parts.ask({ ...NOBODY, uids });
      const sources: VassalSource[] = [];
      const pace = pacedBy(parts.clock, LONGEST_TURN_MS);
      for (const file of files) {
        await pace();
        const source = unlessPoison(() => sourceOf(parts, accounts, file));
        if (source === undefined) continue;
        parsed.set(file, source);
        sources.push(source);
      }
      accounts = await parts.ask(accountsAsked(sources));
    },
    decode,
    explain: (file) => {
      const source = parsed.get(file) ?? sourceOf(parts, accounts, file);
      const { spec, diagnostics, granted } = buildSpec(source, { accounts, host: parts.host, readList });
      const all = [...source.diagnostics, ...diagnostics];
      return { spec: hasErrors(all) ? undefined : spec, diagnostics: all, granted, owner: source.owner };
    },
  };
}

/** A text that breaks the parser asks for no accounts; decoding it breaks again, and that is its own vassal's trouble. */
function unlessPoison<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function sourceOf(parts: DecoderParts, accounts: Accounts, file: FileText): VassalSource {
  const name = vassalNameOfFile(file.path.slice(file.path.lastIndexOf('/') + 1));
  if (name === undefined) throw new Error(`not a vassal file: ${file.path}`);
  const user = userOf(accounts, file.ownerUid);
  const owner: Owner = {
    uid: file.ownerUid,
    name: user?.name,
    powers: powersOf(file.ownerUid, parts.host.rootless),
  };
  return readVassalFile({
    text: file.text,
    file: file.path,
    name,
    owner,
    home: user?.home,
    hostname: parts.hostname,
    dir: dirname(file.path),
    ...parts.layers(),
    table: vassalOptions,
  });
}

function userOf(accounts: Accounts, uid: number): User | undefined {
  const found = accounts.userByUid(uid);
  return found.is === 'found' ? found.entry : undefined;
}
