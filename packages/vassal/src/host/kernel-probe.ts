import { execFile } from 'node:child_process';
import { errorText } from '../keeper/failure.ts';
import { NAMESPACES } from '../options/isolation.ts';
import type { HostFeature } from '../spec/host-facts.ts';
import type { Namespace } from '../spec/spec.ts';

const PROBE_MS = 10_000;

/** What the keeper found by trying: `undefined` where it could not be asked. */
export type KernelProbe = {
  readonly landlockAbi: number | undefined;
  readonly unavailable: ReadonlyMap<Namespace, string>;
  readonly features: readonly HostFeature[];
};

/** What else of this host explains why a namespace cannot be made. */
export type KernelTexts = {
  /** /proc/sys/kernel/unprivileged_userns_clone (Debian), apparmor_restrict_unprivileged_userns (Ubuntu). */
  readonly unprivilegedClone: string | undefined;
  readonly appArmorRestricts: string | undefined;
  /** The text of /proc/sys/user/max_KIND_namespaces. */
  readonly most: (kind: Namespace) => string | undefined;
};

/** `keeper probe`: every kind of namespace and what else a jail is made of, tried in a process that ends at once. */
export function askKeeper(keeperBinary: string): Promise<string> {
  return new Promise((resolve) => {
    const settings = { timeout: PROBE_MS, killSignal: 'SIGKILL', env: {}, cwd: '/' } as const;
    execFile(keeperBinary, ['probe'], settings, (error, text) => {
      resolve(error === null ? text : '');
    });
  });
}

/** The lines `landlock ABI`, `namespace KIND ERRNO` and `FEATURE ERRNO`; what was not tried counts as there. */
export function parseProbe(text: string, texts: KernelTexts): KernelProbe {
  const results = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, number] = /^(.+) (\d{1,4})$/.exec(line) ?? [];
    if (name !== undefined) results.set(name, Number(number));
  }
  const own = results.get('own-user-namespace') ?? 0;
  const unavailable = NAMESPACES.flatMap((kind) => {
    const errno = results.get(`namespace ${kind}`) ?? 0;
    return errno === 0 ? [] : [[kind, because(kind, errno, texts, own)] as const];
  });
  const unasked = {
    name: 'the probe of the keeper',
    missing: 'it did not answer: what stands here is a guess',
  };
  const features = FEATURES.map(([name, title]) => {
    const errno = results.get(name) ?? 0;
    return { name: title, missing: errno === 0 ? undefined : errorText(errno) };
  });
  return {
    landlockAbi: results.get('landlock'),
    unavailable: new Map(unavailable),
    features: results.size === 0 ? [unasked, ...features] : features,
  };
}

const FEATURES: readonly (readonly [string, string])[] = [
  ['mount-setattr', 'read-only trees (mount_setattr)'],
  ['proc', 'a /proc of its own'],
];

function because(kind: Namespace, errno: number, texts: KernelTexts, own: number): string {
  if (own !== 0) return `no user namespace for an ordinary user: ${userReason(own, texts)}`;
  if (kind === 'user') return userReason(errno, texts);
  if (texts.most(kind)?.trim() === '0') return `/proc/sys/user/max_${kind}_namespaces is 0`;
  return errorText(errno);
}

function userReason(errno: number, texts: KernelTexts): string {
  if (texts.most('user')?.trim() === '0') return '/proc/sys/user/max_user_namespaces is 0';
  if (texts.unprivilegedClone?.trim() === '0') return '/proc/sys/kernel/unprivileged_userns_clone is 0';
  if (texts.appArmorRestricts?.trim() === '1')
    return 'AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns)';
  return errorText(errno);
}
