import type { IoPriority, Scheduler, SchedulingSpec } from '../spec/limits.ts';
import { type Directive, directive } from './directive.ts';

/** IOPRIO_CLASS_*. */
const IO_CLASSES: Readonly<Record<IoPriority['class'], number>> = { realtime: 1, 'best-effort': 2, idle: 3 };
/** SCHED_*. */
const POLICIES: Readonly<Record<Scheduler['policy'], number>> = {
  other: 0,
  fifo: 1,
  rr: 2,
  batch: 3,
  idle: 5,
};

/** The words of the blob for scheduling. What is usual needs none: the keeper never hands on the emperor's own. */
export function schedulingDirectives(spec: SchedulingSpec): readonly Directive[] {
  const { nice, ionice, sched, oomScoreAdj } = spec;
  const priority = 'priority' in sched ? sched.priority : 0;
  return [
    ...(nice === 0 ? [] : [directive('nice', nice)]),
    ...(ionice === undefined ? [] : [directive('ionice', IO_CLASSES[ionice.class], ionice.level)]),
    ...(sched.policy === 'other' ? [] : [directive('sched', POLICIES[sched.policy], priority)]),
    ...(oomScoreAdj === 0 ? [] : [directive('oom-score-adj', oomScoreAdj)]),
  ];
}
