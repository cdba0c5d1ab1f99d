import { systemClock } from '@emperor/common/clock';

const POLL_MS = 15;
export const PATIENCE_MS = 20_000;

/** Resolves after `ms`; only for polling and for proving that something does not happen. */
export function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });
}

/** The first answer of `look` that is not undefined; throws with `what` (asked late) after `patienceMs`. */
export async function waitUntil<T>(
  what: string | (() => Promise<string>),
  look: () => Promise<T | undefined> | T | undefined,
  patienceMs: number = PATIENCE_MS,
  pollMs: number = POLL_MS,
): Promise<T> {
  const until = systemClock.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (systemClock.now() > until) {
      throw new Error(`waited ${patienceMs} ms for ${typeof what === 'string' ? what : await what()}`);
    }
    await pauseMs(pollMs);
  }
}
