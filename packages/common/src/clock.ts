export type Cancel = () => void;

/**
 * Time as the program sees it. `now` is CLOCK_MONOTONIC in milliseconds, the same base in every process of this
 * boot (the keeper stamps its facts with it), so that ages survive a restart of the emperor and wall-clock jumps
 * harm nobody. `wall` is for people only.
 */
export type Clock = {
  readonly now: () => number;
  readonly wall: () => number;
  readonly after: (ms: number, run: () => void) => Cancel;
};

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
