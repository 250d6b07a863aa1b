import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureProfile, locateProfile } from '../../../src/config/home.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wherry-home-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('locateProfile', () => {
  it('prefers what is asked for, then WHERRY_HOME, then ~/.wherry', () => {
    const environment = { HOME: '/users/me', WHERRY_HOME: '/state' };
    expect(locateProfile({ home: '/asked' }, environment).home).toBe('/asked');
    expect(locateProfile({}, environment).home).toBe('/state');
    expect(locateProfile({}, { HOME: '/users/me', WHERRY_HOME: '' }).home).toBe('/users/me/.wherry');
    expect(locateProfile({ home: '~/w' }, environment).home).toBe('/users/me/w');
    expect(locateProfile({ home: 'w' }, environment).home).toBe(join(process.cwd(), 'w'));
  });

  it('places the parts of a profile', () => {
    expect(locateProfile({ home: '/h', profile: 'two' }, {})).toEqual({
      home: '/h',
      profile: 'two',
      directory: '/h/profiles/two',
      storeFile: '/h/profiles/two/store.sqlite',
      repositoryDirectory: '/h/profiles/two/repository',
      settingsFile: '/h/profiles/two/profile.yaml',
    });
  });

  it.each(['', '.', '..', '../x', 'a/b', '-x', 'a b', 'a\0', 'x'.repeat(64)])('refuses the profile %j', (profile) => {
    expect(() => locateProfile({ profile }, {})).toThrow('cannot be the name of a profile');
  });

  it.each(['', 'a\0b'])('refuses the home %j', (home) => {
    expect(() => locateProfile({ home }, {})).toThrow('cannot be the home');
  });
});

describe('ensureProfile', () => {
  it('makes the directories for the user alone, and nothing else', async () => {
    const location = locateProfile({ home: join(folder, 'deep', 'home') }, {});
    await ensureProfile(location);
    await ensureProfile(location);
    for (const path of [location.home, location.directory, location.repositoryDirectory]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
    expect(await readdir(location.directory)).toEqual(['repository']);
  });

  it('leaves the mode of a directory that exists', async () => {
    await chmod(folder, 0o755);
    await ensureProfile(locateProfile({ home: folder }, {}));
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  it.each(['home', 'home/profiles', 'home/profiles/default/repository'])('tells of a file at %s', async (name) => {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, '');
    await expect(ensureProfile(locateProfile({ home: join(folder, 'home') }, {}))).rejects.toMatchObject({
      code: 'bad-input',
      message: `${path} is a file, but Wherry needs a directory there`,
      hint: expect.stringContaining('--home'),
    });
  });

  it.skipIf(process.getuid?.() === 0)('tells of a home that cannot be written', async () => {
    await chmod(folder, 0o500);
    await expect(ensureProfile(locateProfile({ home: join(folder, 'home') }, {}))).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining('cannot be written'),
      hint: expect.stringContaining('WHERRY_HOME'),
    });
  });

  it('tells of a place where nothing can be made', async () => {
    await expect(ensureProfile(locateProfile({ home: '/proc/wherry' }, {}))).rejects.toMatchObject({
      hint: expect.stringContaining('WHERRY_HOME'),
    });
  });
});
