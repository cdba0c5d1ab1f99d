import { expect, test } from 'vitest';
import { userPlaces } from '../../../packages/emperor/src/user-places.ts';

test('root has the places of the system', () => {
  expect(userPlaces({ HOME: '/root' }, 0)).toBeUndefined();
  expect(userPlaces({ HOME: '/root' }, undefined)).toBeUndefined();
});

test('a user has them where the XDG variables say, else below the home', () => {
  expect(userPlaces({ HOME: '/home/a', XDG_RUNTIME_DIR: '/run/user/5' }, 5)).toEqual({
    config: '/home/a/.config/emperor/emperor.ini',
    vassals: '/home/a/.config/emperor/vassals',
    runtimeDir: '/run/user/5/emperor',
    logDir: '/home/a/.local/state/emperor/log',
    stateDir: '/home/a/.local/state/emperor',
  });
  expect(userPlaces({ HOME: '/home/a', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' }, 5)).toMatchObject({
    config: '/c/emperor/emperor.ini',
    stateDir: '/s/emperor',
    runtimeDir: '/tmp/emperor-5',
  });
});

test('what is not absolute counts for nothing', () => {
  expect(userPlaces({ HOME: '', XDG_RUNTIME_DIR: 'run' }, 5)).toMatchObject({
    config: '/tmp/emperor-5/.config/emperor/emperor.ini',
    runtimeDir: '/tmp/emperor-5',
  });
});
