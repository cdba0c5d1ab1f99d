import { z } from 'zod';

import { STATUS_OF } from './failure.ts';
import { PATHS, type Path } from './paths.ts';
import { failure, replies } from './schemas.ts';

/** The control interface as an OpenAPI 3.1 document: what is served and what docs/reference/control-api.json holds. */
export function openApiDocument(): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const path of Object.values<Path>(PATHS)) {
    const key = path.path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}');
    paths[key] = { ...paths[key], [path.method]: operationOf(path) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'emperor control interface',
      version: '1',
      description: 'HTTP over the unix socket RUNTIME_DIR/control.sock, for root and the control group.',
    },
    paths,
    components: { schemas: schemasByName() },
  };
}

function operationOf({ path, summary, query, reply }: Path): Readonly<Record<string, unknown>> {
  return {
    summary,
    parameters: [...pathParameters(path), ...queryParameters(query)],
    responses: {
      '200': { description: 'what was asked for', content: contentOf(reply) },
      default: {
        description: `what went wrong: ${[...new Set(Object.values(STATUS_OF))].toSorted((a, b) => a - b).join(', ')} or 429`,
        content: { 'application/json': { schema: refTo(failure) } },
      },
    },
  };
}

function contentOf(reply: Path['reply']): Readonly<Record<string, unknown>> {
  switch (reply.is) {
    case 'json':
      return { 'application/json': { schema: refTo(reply.schema) } };
    case 'lines':
      return { 'text/plain': { schema: { type: 'string' } } };
    case 'json-lines':
      return { 'application/x-ndjson': { schema: refTo(reply.schema) } };
    case 'text':
      return { [reply.contentType]: { schema: { type: 'string' } } };
    case 'document':
      return { 'application/json': { schema: { type: 'object' } } };
  }
}

function pathParameters(path: string): readonly unknown[] {
  return [...path.matchAll(/:(\w+)(?:\{([^}]*)\})?/g)].map(([, name, choice]) => ({
    name,
    in: 'path',
    required: true,
    schema: choice === undefined ? { type: 'string' } : { type: 'string', enum: choice.split('|') },
  }));
}

function queryParameters(query: z.ZodType | undefined): readonly unknown[] {
  if (query === undefined) return [];
  const { properties } = z.toJSONSchema(query, { io: 'input' });
  return Object.entries(properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
}

function refTo(schema: z.ZodType): { readonly $ref: string } {
  return { $ref: uriOf(replies.get(schema)?.id ?? '') };
}

function uriOf(id: string): string {
  return `#/components/schemas/${id}`;
}

function schemasByName(): Readonly<Record<string, unknown>> {
  const { schemas } = z.toJSONSchema(replies, { uri: uriOf, io: 'input' });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutHead(schema)]));
}

/** In a document each schema is known by its place. */
function withoutHead(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { $schema: _, $id: __, ...rest } = schema;
  return rest;
}
