import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { FileLock } from '../../../src/base/index.js';
import { expandMatrix } from '../../../src/cli/matrix/expand.js';
import { doneFile, endFile, type JobEnd, type JobList, runJob } from '../../../src/cli/matrix/job.js';
import { readMatrix } from '../../../src/cli/matrix/read.js';
import { matrixFile, smallRoot } from './small-root.js';

vi.mock('node:timers/promises', () => ({ setTimeout: vi.fn() }));

const root = smallRoot();
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

/** A job of the notebook `echo`, as Snakemake finds it; its run has kept its results. */
async function listed(name: string, waits: boolean) {
  const [job] = expandMatrix(
    readMatrix(matrixFile(root, `groups:\n  one: { notebook: echo, parameters: { title: ${name} } }`)),
    root,
  );
  const work = join(root, 'results/matrix', name);
  for (const each of ['done', 'ends']) await mkdir(join(work, each), { recursive: true });
  const list: JobList = { root, jobs: [job!], cores: 1, waits, command: [] };
  writeFileSync(join(work, 'jobs.json'), JSON.stringify(list));
  mkdirSync(job!.folder, { recursive: true });
  writeFileSync(join(job!.folder, 'provenance.json'), '{}');
  const said: string[] = [];
  for (const method of ['log', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((text) => void said.push(text));
  const end = (content: JobEnd) => writeFileSync(endFile(work, job!.id), JSON.stringify(content));
  return { job: job!, said, end, done: doneFile(work, job!.id), run: () => runJob(join(work, 'jobs.json'), job!.id) };
}

test('a second try goes on after an interrupt, and repeats no failure', async () => {
  const { run, said, end, done } = await listed('again', true);
  end({ status: 'failed', error: 'no such file: x.svs' });
  expect(await run()).toBe(1);
  expect(said.join('\n')).toContain('not tried again: no such file: x.svs');
  expect(existsSync(done)).toBe(false);
  end({ status: 'interrupted' });
  expect(await run()).toBe(0);
  expect(existsSync(done)).toBe(true);
});

test.each([
  [true, 0],
  [false, 1],
])(
  'while another process writes its run, a job waits (on a cluster %s: however long), and says so once',
  async (waits, code) => {
    const { run, said, job } = await listed(`wait-${waits}`, waits);
    const lock = (await FileLock.take(join(job.folder, '.run.lock')))!;
    let waited = 0;
    vi.mocked(pause).mockImplementation(async () => {
      if (++waited === 500) await lock.release();
    });
    expect(await run()).toBe(code);
    expect(waited).toBe(waits ? 500 : 60);
    const words = said.filter((line) => line.includes(`is being written by process ${process.pid}`));
    expect(words).toHaveLength(waits ? 1 : 2);
    await lock.release();
  },
);
