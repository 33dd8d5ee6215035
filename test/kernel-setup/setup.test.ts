import { spawnSync } from 'node:child_process';
import { lstatSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { copyProject } from '../../bench/project-copy.mjs';
import { examineSetUp, finishSetUp, killSetUp } from '../../bench/setup-kills.mjs';
import { stateOf, steps } from '../../kernel-setup/setup/main.mjs';
import { readStamp } from '../../kernel-setup/setup/state.mjs';
import { npmCommand } from '../../kernel-setup/setup/steps/npm-packages.mjs';
import { key } from '../../src/base/index.js';

const projectRoot = fileURLToPath(new URL('../../', import.meta.url));
const device = readStamp('tensorflow')?.facts.device;
const isSetUp = steps.every((step) => stateOf(step, { device }) === 'done');

describe.skipIf(!isSetUp)('on a checkout that is set up', () => {
  it('set-up does nothing and says so in one line', () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(projectRoot, 'kernel-setup/setup.mjs')], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^set-up: up to date \([\d.]+ s\)\n$/);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('the project is a package and a command of its own node_modules', () => {
    expect(readlinkSync(join(projectRoot, 'node_modules/pathlab'))).toBe('..');
    const command = join(projectRoot, 'node_modules/.bin/pathlab');
    expect(lstatSync(command).isSymbolicLink()).toBe(true);
    expect(spawnSync(command, ['doctor', '--device', 'neither']).status).toBe(1);
  });
});

/** Whether npm's registry answers: the one thing that a set-up from nothing cannot do without. */
function registryAnswers(): boolean {
  const [npm, ...args] = npmCommand() as [string, ...string[]];
  return spawnSync(npm, [...args, 'ping', '--fetch-retries=0', '--fetch-timeout=10000']).status === 0;
}

describe('a set-up that is killed', () => {
  it('ends well when it is run again (two seeded kills; `npm run campaign -- setup-kills` does more)', async (context) => {
    if (!registryAnswers()) context.skip('the npm registry does not answer');
    const project = copyProject();
    try {
      const random = key('kill set-up').generator();
      for (let kill = 0; kill < 2; kill++) {
        const { killed, lastLine } = await killSetUp(project, 1 + 20 * random.uniform());
        expect(killed, lastLine).toBe(true);
      }
      const rerun = finishSetUp(project);
      expect(rerun.status, rerun.output).toBe(0);
      const examination = examineSetUp(project);
      expect(examination.well, examination.output).toBe(true);
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  }, 600_000);
});
