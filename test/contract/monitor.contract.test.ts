import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { directoryMonitor } from '../../packages/emperor/src/monitor/directory.ts';
import type { Monitor, SourceFile } from '../../packages/emperor/src/ports.ts';
import { FakeMonitor } from '../support/fake-monitor.ts';
import { recordingLog } from '../support/recording-log.ts';
import { waitUntil } from '../support/wait-until.ts';

/** A monitor and how to change what it watches. */
type Source = {
  readonly monitor: Monitor;
  readonly write: (name: string, text: string) => void;
  readonly touch: (name: string) => void;
  readonly remove: (name: string) => void;
  readonly breakOff: () => void;
  readonly mend: () => void;
  readonly end: () => void;
};

function fakeSource(): Source {
  const monitor = new FakeMonitor();
  return {
    monitor,
    write: (name, text) => monitor.put(name, text),
    touch: (name) => monitor.touch(name),
    remove: (name) => monitor.remove(name),
    breakOff: () => monitor.break('it is gone'),
    mend: () => monitor.mend(),
    end: () => undefined,
  };
}

function directorySource(): Source {
  const base = mkdtempSync('/run/emperor-monitor-');
  const directory = join(base, 'vassals');
  const away = join(base, 'away');
  mkdirSync(directory, { mode: 0o755 });
  let touches = 0;
  return {
    monitor: directoryMonitor({ directory, clock: systemClock, log: recordingLog().log }),
    write: (name, text) => writeFileSync(join(directory, `${name}.ini`), text, { mode: 0o644 }),
    touch: (name) => {
      touches += 1;
      utimesSync(join(directory, `${name}.ini`), 1_000 + touches, 1_000 + touches);
    },
    remove: (name) => rmSync(join(directory, `${name}.ini`)),
    breakOff: () => renameSync(directory, away),
    mend: () => renameSync(away, directory),
    end: () => rmSync(base, { recursive: true }),
  };
}

const isRoot = process.geteuid?.() === 0;

describe.each([
  { what: 'the fake', open: fakeSource, may: true },
  { what: "a directory (skipped without root: /run is root's)", open: directorySource, may: isRoot },
])('the monitor: $what', ({ open, may }) => {
  let source: Source;
  let hints = 0;

  beforeEach(async ({ skip }) => {
    if (!may) return skip();
    source = open();
    hints = 0;
    await source.monitor.watch(() => {
      hints += 1;
    });
  });

  afterEach(async () => {
    if (!may) return;
    await source.monitor.close();
    source.end();
  });

  test('finds nothing in an empty source, and that is complete', async () => {
    const scan = await source.monitor.scan();

    expect(scan).toMatchObject({ complete: true, diagnostics: [] });
    expect(scan.directory).toMatch(/^\d+:\d+$/);
    expect(scan.files.size + scan.refused.size).toBe(0);
  });

  test('hints at a new file and scans it', async () => {
    source.write('blog', 'one');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    expect(await fileOf(source, 'blog')).toMatchObject({ name: 'blog', text: 'one', ownerUid: 0 });
  });

  test('gives the same fingerprint for what did not change', async () => {
    source.write('blog', 'one');
    const before = await fileOf(source, 'blog');

    expect(await fileOf(source, 'blog')).toEqual(before);
  });

  test('hints at an edit, with another fingerprint and the new text', async () => {
    source.write('blog', 'one');
    const before = await fileOf(source, 'blog');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));
    hints = 0;

    source.write('blog', 'two!');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    const after = await fileOf(source, 'blog');
    expect(after.text).toBe('two!');
    expect(after.fingerprint).not.toBe(before.fingerprint);
  });

  test('hints at a touch: another time, the same text', async () => {
    source.write('blog', 'one');
    const before = await fileOf(source, 'blog');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));
    hints = 0;

    source.touch('blog');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    const after = await fileOf(source, 'blog');
    expect(after.text).toBe('one');
    expect(after.mtimeNs).not.toBe(before.mtimeNs);
    expect(after.fingerprint).not.toBe(before.fingerprint);
  });

  test('hints at a removal, after which the file is absent', async () => {
    source.write('blog', 'one');
    source.write('shop', 'two');
    await fileOf(source, 'blog');
    hints = 0;

    source.remove('blog');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    const scan = await source.monitor.scan();
    expect([...scan.files.keys()]).toEqual(['shop']);
  });

  test('a source that cannot be read is incomplete and says why; it heals', async () => {
    source.write('blog', 'one');
    await fileOf(source, 'blog');

    hints = 0;
    source.breakOff();
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));
    const broken = await source.monitor.scan();
    hints = 0;
    source.mend();
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    expect(broken).toMatchObject({ complete: false, directory: undefined });
    expect(broken.diagnostics).toHaveLength(1);
    expect((await fileOf(source, 'blog')).text).toBe('one');
  });

  test('hints again after the source was away', async () => {
    source.breakOff();
    await source.monitor.scan();
    source.mend();
    await source.monitor.scan();
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));
    hints = 0;

    source.write('blog', 'one');
    await waitUntil('a hint', () => (hints > 0 ? true : undefined));

    expect((await fileOf(source, 'blog')).text).toBe('one');
  });

  test('is silent once it is closed', async () => {
    await source.monitor.close();
    hints = 0;

    source.write('blog', 'one');
    await new Promise((resolve) => systemClock.after(50, () => resolve(undefined)));

    expect(hints).toBe(0);
  });
});

async function fileOf(source: Source, name: string): Promise<SourceFile> {
  const scan = await source.monitor.scan();
  const file = [...scan.files.values()].find((candidate) => candidate.name === name);
  if (file === undefined) throw new Error(`no file of ${name}: ${JSON.stringify([...scan.refused.keys()])}`);
  return file;
}
