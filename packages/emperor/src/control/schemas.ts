import type {
  Action,
  DiagnosticJson,
  EmperorJson,
  ErrorJson,
  EventJson,
  ExitJson,
  HistoryJson,
  OutcomeJson,
  StateName,
  StatusJson,
  VassalJson,
  WhyJson,
} from '@emperor/common/control/api';
import { ACTIONS, STATE_NAMES, STATUS_FORMAT } from '@emperor/common/control/api';
import { z } from 'zod';

/** Every reply of the control interface by name; what they say is what control/api.ts says. */
export const replies: z.core.$ZodRegistry<{ id: string }> = z.registry<{ id: string }>();

/** A schema that the document shows under this name. */
export function named<T extends z.ZodType>(id: string, schema: T): T {
  replies.add(schema, { id });
  return schema;
}

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);

const exit = named(
  'Exit',
  z.union([
    z.object({ by: z.literal('code'), code: z.int(), because: z.string().optional() }),
    z.object({ by: z.literal('signal'), signal: z.string(), because: z.string().optional() }),
  ]),
) satisfies z.ZodType<ExitJson>;

const state = z.enum(STATE_NAMES) satisfies z.ZodType<StateName>;

/** What is wrong with a file or the host. */
export const diagnostic = named(
  'Diagnostic',
  z.object({
    severity: z.enum(['error', 'warning']),
    file: z.string(),
    line: z.int().nullable(),
    key: z.string().nullable(),
    message: z.string(),
    hint: z.string().nullable(),
  }),
) satisfies z.ZodType<DiagnosticJson>;

export const vassal = named(
  'Vassal',
  z.object({
    name: z.string(),
    file: z.string().nullable(),
    owner: z.string(),
    state,
    ready: z.boolean(),
    since: time,
    pid: z.int().nullable(),
    keeperPid: z.int().nullable(),
    generation: z.int().nullable(),
    revision: z.string().nullable(),
    user: z.string().nullable(),
    uid: z.int().nullable(),
    gid: z.int().nullable(),
    restarts: count,
    lastExit: exit.nullable(),
    oomKills: count,
    pidsMaxHits: count,
    memoryHighHits: count,
    throttledMs: count,
    throttledPercent: z.number().nullable(),
    daemons: z.array(z.never()),
    sockets: z.array(z.string()),
    namespaces: z.array(z.string()),
    memoryBytes: count.nullable(),
    cpuPercent: z.number().nullable(),
    tasks: count.nullable(),
    note: z.string().nullable(),
    diagnostics: z.array(diagnostic),
  }),
) satisfies z.ZodType<VassalJson>;

export const emperor = named(
  'Emperor',
  z.object({
    version: z.string(),
    pid: z.int(),
    since: time,
    vassals: count,
    diagnostics: z.array(diagnostic),
  }),
) satisfies z.ZodType<EmperorJson>;

export const status = named(
  'Status',
  z.object({ format: z.literal(STATUS_FORMAT), emperor, vassals: z.array(vassal) }),
) satisfies z.ZodType<StatusJson>;

const history = named(
  'History',
  z.object({ at: time, what: z.string(), afterMs: z.number().nullable() }),
) satisfies z.ZodType<HistoryJson>;

export const why = named(
  'Why',
  z.object({
    format: z.literal(STATUS_FORMAT),
    vassal,
    answer: z.string(),
    hint: z.string().nullable(),
    history: z.array(history),
    output: z.array(z.string()),
  }),
) satisfies z.ZodType<WhyJson>;

export const outcome = named(
  'Outcome',
  z.object({
    format: z.literal(STATUS_FORMAT),
    name: z.string(),
    action: z.enum(ACTIONS),
    ok: z.boolean(),
    message: z.string(),
    hint: z.string().nullable(),
    vassal: vassal.nullable(),
  }),
) satisfies z.ZodType<OutcomeJson>;

export const event = named(
  'Event',
  z.object({ at: time, vassal: z.string().nullable(), event: z.string(), detail: z.string().nullable() }),
) satisfies z.ZodType<EventJson>;

export const failure = named(
  'Error',
  z.object({
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }),
  }),
) satisfies z.ZodType<ErrorJson>;

/** `true` and `1`, `false` and `0`. */
const flag = z.enum(['true', 'false', '1', '0']);

const MOST_LINES = 10_000;

/** What may stand behind the `?` of …/logs. */
export const logsQuery = z.strictObject({
  lines: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .pipe(z.int().min(0).max(MOST_LINES))
    .default(100),
  follow: flag.default('false').transform(isYes),
});

/** What may stand behind the `?` of an action. */
export const actQuery = z.strictObject({ wait: flag.default('true').transform(isYes) });

function isYes(text: z.output<typeof flag>): boolean {
  return text === 'true' || text === '1';
}

/** The actions as a union that zod knows. */
export const action = z.enum(ACTIONS) satisfies z.ZodType<Action>;
