import { decodeTable } from '@emperor/common/options/decode';
import { vassalOptions } from '@emperor/vassal/options';
import { applyBounds, builtInBounds } from '@emperor/vassal/spec/policy';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const ms = fc.integer({ min: 0, max: 10_000_000 });
const count = fc.option(fc.integer({ min: 2, max: 1_000_000 }), { nil: undefined });
const asked = fc
  .record({ 'restart-delay': ms, stable: ms, 'stop-timeout': ms, 'memory-max': count, 'pids-max': count })
  .map((wishes) => ({ ...decodeTable(vassalOptions, new Map()).values, ...wishes }));

test('whatever a tenant asks, what is granted is within the bounds, and bounding it again changes nothing', () => {
  fc.assert(
    fc.property(asked, (values) => {
      const granted = applyBounds(values, [builtInBounds('tenant')]).values;

      expect(granted['restart-delay']).toBeGreaterThanOrEqual(100);
      expect(granted.stable).toBeGreaterThanOrEqual(1000);
      expect(granted['stop-timeout']).toBeLessThanOrEqual(600_000);
      expect(granted['memory-max']).toBeDefined();
      expect(granted['pids-max']).toBeDefined();
      expect(applyBounds(granted, [builtInBounds('tenant')])).toEqual({ values: granted, cuts: [] });
    }),
  );
});

test('every difference between asked and granted has a reason, and nothing else has', () => {
  fc.assert(
    fc.property(asked, (values) => {
      const { values: granted, cuts } = applyBounds(values, [builtInBounds('tenant')]);
      const differing = Object.entries(values).filter(
        ([key, value]) => !Object.is(value, Reflect.get(granted, key)),
      );

      expect(cuts.map(({ key }) => key).toSorted()).toEqual(differing.map(([key]) => key).toSorted());
      expect(cuts.every(({ reason }) => reason !== '')).toBe(true);
    }),
  );
});

test('the operator is not bounded by what bounds tenants, and later bounds may only narrow further', () => {
  fc.assert(
    fc.property(asked, (values) => {
      const narrower = { by: 'policy', of: new Map([['stable', { min: 5000 }]] as const) };

      expect(applyBounds(values, [builtInBounds('operator')])).toEqual({ values, cuts: [] });
      expect(applyBounds(values, [builtInBounds('tenant'), narrower]).values.stable).toBeGreaterThanOrEqual(
        5000,
      );
    }),
  );
});
