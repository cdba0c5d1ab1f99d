import type { z } from 'zod';

import { audit, drill, plan } from './proof-schemas.ts';
import { actQuery, emperor, event, logsQuery, outcome, status, vassal, why } from './schemas.ts';

/** One thing that may be asked. Served, documented and tested from this row. */
export type Path = {
  readonly method: 'get' | 'post';
  /** As hono writes it: `:name` is a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodType | undefined;
  /** JSON of this schema; lines: text or JSON, one for each line, for as long as both sides like; other text. */
  readonly reply:
    | { readonly is: 'json'; readonly schema: z.ZodType }
    | { readonly is: 'lines' }
    | { readonly is: 'json-lines'; readonly schema: z.ZodType }
    | { readonly is: 'text'; readonly contentType: string }
    | { readonly is: 'document' };
};

/** The whole control interface. */
export const PATHS = {
  emperor: {
    method: 'get',
    path: '/v1/emperor',
    summary: 'The emperor itself, and what is wrong with the source of vassal files or the host',
    query: undefined,
    reply: { is: 'json', schema: emperor },
  },
  status: {
    method: 'get',
    path: '/v1/vassals',
    summary: 'The emperor and every vassal',
    query: undefined,
    reply: { is: 'json', schema: status },
  },
  vassal: {
    method: 'get',
    path: '/v1/vassals/:name',
    summary: 'One vassal',
    query: undefined,
    reply: { is: 'json', schema: vassal },
  },
  act: {
    method: 'post',
    path: '/v1/vassals/:name/:action{start|stop|restart|reload}',
    summary: 'Do something with a vassal; the reply comes with the outcome, or at once when not told to wait',
    query: actQuery,
    reply: { is: 'json', schema: outcome },
  },
  why: {
    method: 'get',
    path: '/v1/vassals/:name/why',
    summary: 'Why a vassal is as it is, and what to do next',
    query: undefined,
    reply: { is: 'json', schema: why },
  },
  plan: {
    method: 'get',
    path: '/v1/vassals/:name/plan',
    summary: 'What the file of a vassal means: every option with where it stands, and the jail step by step',
    query: undefined,
    reply: { is: 'json', schema: plan },
  },
  audit: {
    method: 'get',
    path: '/v1/vassals/:name/audit',
    summary: 'Compare the running jail, read from /proc and the control groups, with what was promised',
    query: undefined,
    reply: { is: 'json', schema: audit },
  },
  drill: {
    method: 'post',
    path: '/v1/vassals/:name/drill',
    summary: 'Try to break out of a copy of the jail; the running one is left alone',
    query: undefined,
    reply: { is: 'json', schema: drill },
  },
  logs: {
    method: 'get',
    path: '/v1/vassals/:name/logs',
    summary: 'The last lines of what a vassal wrote and, when following, every one from now on',
    query: logsQuery,
    reply: { is: 'lines' },
  },
  events: {
    method: 'get',
    path: '/v1/events',
    summary: 'Everything that happens from now on; a reader who does not keep up is cut off',
    query: undefined,
    reply: { is: 'json-lines', schema: event },
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    summary: 'The emperor and every vassal as OpenMetrics text; what is not known is left out',
    query: undefined,
    reply: { is: 'text', contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8' },
  },
  openapi: {
    method: 'get',
    path: '/v1/openapi.json',
    summary: 'This document',
    query: undefined,
    reply: { is: 'document' },
  },
} as const satisfies Readonly<Record<string, Path>>;

export type PathName = keyof typeof PATHS;
