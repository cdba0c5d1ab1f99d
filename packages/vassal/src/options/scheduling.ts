import { integer, optional, parsed, text } from '@emperor/common/options/kinds';
import { type Decoded, type Kind, option } from '@emperor/common/options/option';
import type { IoPriority, Scheduler } from '../spec/limits.ts';

const group = 'limits';

const scheduler: Kind<Scheduler> = parsed(text, decodeScheduler, {
  name: 'scheduling policy',
  hint: 'other, batch, idle, fifo:1-99 or rr:1-99',
  schema: { type: 'string', pattern: '^(other|batch|idle|(fifo|rr):[0-9]+)$' },
  format: (value) => ['priority' in value ? `${value.policy}:${value.priority}` : value.policy],
});

const ioPriority: Kind<IoPriority> = parsed(text, decodeIoPriority, {
  name: 'I/O priority',
  hint: 'realtime:0-7, best-effort:0-7 or idle',
  schema: { type: 'string', pattern: '^(none|idle|(realtime|best-effort):[0-7])$' },
  format: (value) => [value.class === 'idle' ? 'idle' : `${value.class}:${value.level}`],
});

/** How the kernel treats the vassal's processes beside others; nothing of it is inherited from the emperor. */
export const scheduling = {
  nice: option({
    kind: integer(-20, 19),
    default: 0,
    since: '0.2',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'Nice value of the app: above 0 it gives way to others. A tenant may not go below 0.',
  }),
  ionice: option({
    kind: optional(ioPriority, 'none'),
    default: undefined,
    since: '0.2',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'I/O priority of the app as class:level, 0 is first; none = what its nice value means. A tenant may not have realtime, nor a best-effort level below 4.',
  }),
  sched: option({
    kind: scheduler,
    default: { policy: 'other' },
    since: '0.2',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'CPU scheduling policy of the app; fifo and rr are real time, with a priority. A tenant may not have these.',
  }),
  'oom-score-adj': option({
    kind: integer(-1_000, 1_000),
    default: 0,
    since: '0.2',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'Who the kernel kills first when the machine is out of memory: 1000 first, -1000 never. A tenant may not go below 0.',
  }),
};

function decodeScheduler(written: string): Decoded<Scheduler> {
  if (written === 'other' || written === 'batch' || written === 'idle')
    return { ok: true, value: { policy: written } };
  const [, policy, digits] = /^(fifo|rr):(\d{1,2})$/.exec(written) ?? [];
  const priority = Number(digits);
  const isRealtime = policy === 'fifo' || policy === 'rr';
  return isRealtime && priority >= 1
    ? { ok: true, value: { policy, priority } }
    : { ok: false, message: 'expected other, batch, idle, fifo:1-99 or rr:1-99' };
}

function decodeIoPriority(written: string): Decoded<IoPriority> {
  if (written === 'idle') return { ok: true, value: { class: 'idle', level: 0 } };
  const [, name, digit] = /^(realtime|best-effort):([0-7])$/.exec(written) ?? [];
  const isClass = name === 'realtime' || name === 'best-effort';
  return isClass
    ? { ok: true, value: { class: name, level: Number(digit) } }
    : { ok: false, message: 'expected realtime:0-7, best-effort:0-7, idle or none' };
}
