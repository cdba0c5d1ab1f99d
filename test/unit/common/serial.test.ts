import { EventEmitter, once } from 'node:events';

import { Serial } from '@emperor/common/serial';
import { expect, test } from 'vitest';

type Gate = { readonly opened: Promise<void>; readonly open: () => void };

function gate(): Gate {
  const opener = new EventEmitter();
  const opened = once(opener, 'open').then(() => undefined);
  return { opened, open: () => opener.emit('open') };
}

test('tasks of one key run one after another in the order given', async () => {
  const serial = new Serial();
  const first = gate();
  const seen: string[] = [];

  const one = serial.run('blog', async () => {
    await first.opened;
    seen.push('one');
  });
  const two = serial.run('blog', async () => {
    seen.push('two');
  });
  await serial.run('shop', async () => {
    seen.push('other key');
  });
  first.open();
  await Promise.all([one, two]);

  expect(seen).toEqual(['other key', 'one', 'two']);
});

test('a task that fails rejects its own promise and the next one runs', async () => {
  const serial = new Serial();

  const failing = serial.run('blog', async () => {
    throw new Error('no');
  });
  const next = serial.run('blog', async () => 'yes');

  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('a task that throws before it returns a promise is a rejection too', async () => {
  const serial = new Serial();

  const failing = serial.run('blog', () => {
    throw new Error('at once');
  });

  await expect(failing).rejects.toThrow('at once');
});

test('a key is forgotten once its last task has ended', async () => {
  const serial = new Serial();

  const tasks = [
    serial.run('a', async () => 1),
    serial.run('a', async () => 2),
    serial.run('b', async () => 3),
  ];
  expect(serial.busyKeys).toBe(2);
  await Promise.all(tasks);
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();

  expect(serial.busyKeys).toBe(0);
});
