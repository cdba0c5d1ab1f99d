import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { AuditJson, DrillJson, PlanJson } from '@emperor/common/control/proof';
import { z } from 'zod';
import { diagnostic, named } from './schemas.ts';

const count = z.int().min(0);
const onChange = z.enum(['live', 'reload', 'restart']);

const option = named(
  'PlanOption',
  z.object({
    key: z.string(),
    granted: z.string(),
    asked: z.string().nullable(),
    layer: z.enum(['built-in', 'defaults', 'file', 'force']),
    file: z.string().nullable(),
    line: z.int().nullable(),
    reason: z.string().nullable(),
    onChange,
  }),
);

const running = named(
  'PlanRunning',
  z.object({
    generation: z.int(),
    revision: z.string(),
    change: z.enum(['nothing', 'live', 'reload', 'restart', 'unknown']),
    changed: z.array(z.string()),
  }),
);

/** What a vassal file means, and the jail. */
export const plan = named(
  'Plan',
  z.object({
    format: z.literal(STATUS_FORMAT),
    name: z.string(),
    file: z.string(),
    owner: z.string(),
    revision: z.string().nullable(),
    running: running.nullable(),
    options: z.array(option),
    jail: z.array(z.object({ stage: z.string(), text: z.string(), words: z.array(z.string()) })),
    notes: z.array(z.string()),
    diagnostics: z.array(diagnostic),
  }),
) satisfies z.ZodType<PlanJson>;

const finding = named(
  'AuditFinding',
  z.object({
    group: z.string(),
    what: z.string(),
    promised: z.string(),
    found: z.string(),
    verdict: z.enum(['ok', 'violated', 'cannot-tell', 'note']),
    reason: z.string().nullable(),
    pid: z.int().nullable(),
  }),
);

/** What a running jail is, against what was promised. */
export const audit = named(
  'Audit',
  z.object({
    format: z.literal(STATUS_FORMAT),
    name: z.string(),
    generation: z.int(),
    revision: z.string(),
    processes: z.object({ seen: count, all: count }),
    holds: z.boolean(),
    findings: z.array(finding),
  }),
) satisfies z.ZodType<AuditJson>;

const attempt = named(
  'DrillAttempt',
  z.object({
    name: z.string(),
    what: z.string(),
    verdict: z.enum(['denied', 'allowed', 'skipped']),
    expected: z.enum(['denied', 'either']),
    reason: z.string(),
    errno: z.string().nullable(),
    detail: z.string(),
    ok: z.boolean(),
  }),
);

/** What a prober could do in a copy of the jail. */
export const drill = named(
  'Drill',
  z.object({
    format: z.literal(STATUS_FORMAT),
    name: z.string(),
    revision: z.string(),
    holds: z.boolean(),
    failure: z.string().nullable(),
    notes: z.array(z.string()),
    attempts: z.array(attempt),
  }),
) satisfies z.ZodType<DrillJson>;
