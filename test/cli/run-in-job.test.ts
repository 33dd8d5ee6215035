import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesOfRun } from '../../src/cli/run-in-job.js';
import { freePort } from '../../src/training/supervise-workers.js';
import { processesWith } from '../experiments/living-processes.js';

const pathlab = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
const notebook = '11-pretrain-simclr';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-in-job-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const command = () => ['run', notebook, '-p', 'scale', 'smoke', '-p', 'out', folder];
const start = (args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess =>
  spawn(process.execPath, [pathlab, ...args], { env: { ...process.env, ...environment } });

async function ended(child: ChildProcess) {
  const [[code], out, error] = await Promise.all([once(child, 'close'), text(child.stdout!), text(child.stderr!)]);
  return { code: code as number | null, said: `${out}\n${error}` };
}

const log = () => {
  const path = join(folder, 'events.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};

describe.skipIf(!existsSync('/proc/self/environ'))(
  'a notebook in a job of two processes, as srun starts them (looks at /proc)',
  () => {
    it('is interrupted after a checkpoint, to be put back into the queue, and goes on under launch', async () => {
      // As SLURM's step 0 of job 7 on this machine, but for a port that is free.
      const port = String(await freePort());
      const job = {
        WORLD_SIZE: '2',
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: port,
        SLURM_JOB_ID: '7',
        SLURM_STEP_ID: '0',
      };
      const tasks = ['0', '1'].map((RANK) => start(command(), { ...job, RANK }));
      const ends = Promise.all(tasks.map(ended));
      for (let tries = 0; !log().includes('"kind":"step"') && tries < 600; tries++) await setTimeout(100);
      // As SLURM does: to every process of the step.
      for (const { pid } of processesWith('MASTER_PORT', port)) process.kill(pid, 'SIGTERM');
      const [first, second] = await ends;
      expect(first!.code, first!.said).toBe(75);
      expect(second!.code, second!.said).toBe(75);
      const [last] = log().trim().split('\n').slice(-1);
      expect(JSON.parse(last!)).toMatchObject({ kind: 'interrupted', step: expect.any(Number) });

      const { code, said } = await ended(start(['launch', '--processes', '2', '--', ...command()]));
      expect(code, said).toBe(0);
      expect(log()).toContain('"kind":"resumed"');
      const provenance = JSON.parse(readFileSync(join(folder, 'provenance.json'), 'utf8')) as { choices: object };
      expect(provenance.choices).toMatchObject({
        processes: '2',
        'exchanged in a step': expect.stringMatching(/ MB by each/),
      });
      const page = readFileSync(join(folder, 'notebook.html'), 'utf8');
      expect(page).toContain('exchanged in a step');
      expect(page).not.toContain('was started again');
    }, 180_000);
  },
);

describe('processesOfRun', () => {
  const place = { index: 0, count: 4, host: 'a', port: 1, job: '', local: { index: 0, count: 4 } };

  it('are those of the job or of launch', () => {
    expect(processesOfRun(notebook, [], { place })).toEqual([['processes', '4']]);
    expect(processesOfRun(notebook, [], { asked: 2 })).toEqual([['processes', '2']]);
    expect(processesOfRun(notebook, [], { place: { ...place, count: 1 } })).toEqual([]);
    expect(processesOfRun('01-compile-ptcga200', [], {})).toEqual([]);
  });

  it('refuses a notebook that does not train in several, and a second number', () => {
    expect(() => processesOfRun('20-finetune-ptcga200', [], { asked: 2 })).toThrow(
      /20-finetune.* does not train in several/,
    );
    expect(() => processesOfRun(notebook, [['processes', '2']], { place })).toThrow(
      /leave -p processes out: the job has 4/,
    );
  });
});
