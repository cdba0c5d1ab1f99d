import { afterEach, expect, test, vi } from 'vitest';
import { holdHandover } from '../../../packages/emperor/src/early-handover.ts';

afterEach(() => {
  process.removeAllListeners('SIGUSR1');
});

test('a handover asked for too early is heard once somebody listens', () => {
  const letThrough = holdHandover();
  const heard = vi.fn();
  process.emit('SIGUSR1', 'SIGUSR1');
  process.on('SIGUSR1', heard);

  letThrough();

  expect(heard).toHaveBeenCalledTimes(1);
  expect(process.listenerCount('SIGUSR1')).toBe(1);
});

test('nothing is let through when nobody asked', () => {
  const letThrough = holdHandover();
  const heard = vi.fn();
  process.on('SIGUSR1', heard);

  letThrough();

  expect(heard).not.toHaveBeenCalled();
});
