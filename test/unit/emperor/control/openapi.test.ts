import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type {
  DiagnosticJson,
  EmperorJson,
  ErrorJson,
  EventJson,
  OutcomeJson,
  StatusJson,
  VassalJson,
  WhyJson,
} from '@emperor/common/control/api';
import { expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';

import { errorJson } from '../../../../packages/emperor/src/control/failure.ts';
import { openApiDocument } from '../../../../packages/emperor/src/control/openapi.ts';
import * as schemas from '../../../../packages/emperor/src/control/schemas.ts';
import { FakeControlPort } from '../../../support/fake-control-port.ts';

const COMMITTED = join(import.meta.dirname, '../../../../docs/reference/control-api.json');

test('docs/reference/control-api.json is what is served (npm run docs writes it)', () => {
  expect(JSON.parse(readFileSync(COMMITTED, 'utf8'))).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
});

test('every reference in the document leads somewhere', () => {
  const text = JSON.stringify(openApiDocument());
  const names = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);

  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(text).toContain(`"${name}":{`);
});

test('what the emperor says is what the schemas say', async () => {
  const port = new FakeControlPort('blog');

  expect(schemas.status.parse(await port.status())).toEqual(await port.status());
  expect(schemas.why.parse(await port.why('blog'))).toEqual(await port.why('blog'));
  expect(schemas.failure.parse(errorJson('usage', 'x'))).toEqual(errorJson('usage', 'x'));
});

test('the schemas have every field of the types, and no other', () => {
  expectTypeOf<keyof z.output<typeof schemas.vassal>>().toEqualTypeOf<keyof VassalJson>();
  expectTypeOf<keyof z.output<typeof schemas.emperor>>().toEqualTypeOf<keyof EmperorJson>();
  expectTypeOf<keyof z.output<typeof schemas.status>>().toEqualTypeOf<keyof StatusJson>();
  expectTypeOf<keyof z.output<typeof schemas.why>>().toEqualTypeOf<keyof WhyJson>();
  expectTypeOf<keyof z.output<typeof schemas.outcome>>().toEqualTypeOf<keyof OutcomeJson>();
  expectTypeOf<keyof z.output<typeof schemas.event>>().toEqualTypeOf<keyof EventJson>();
  expectTypeOf<keyof z.output<typeof schemas.failure>>().toEqualTypeOf<keyof ErrorJson>();
  expectTypeOf<keyof z.output<typeof schemas.vassal>['diagnostics'][number]>().toEqualTypeOf<
    keyof DiagnosticJson
  >();
});
