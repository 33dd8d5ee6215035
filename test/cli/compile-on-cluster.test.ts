import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { digests, smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

const page = readFileSync(join(projectRoot, 'environment.md'), 'utf8');
const hasSnakemake = spawnSync('snakemake', ['--version']).status === 0;
/** The parts of the test's dataset; the examples take eight. */
const parts = 3;

let folder: string;
let definition: string;
let slides: string;

beforeAll(async () => {
  folder = temporaryFolder();
  const dataset = await smallDataset(4);
  slides = dirname(dataset.slides[0]!.path);
  const rows = dataset.slides.map((slide) => `${slide.id},${slide.patient},${basename(slide.path)}`);
  writeFileSync(join(slides, 'slides.csv'), ['id,patient,path', ...rows].join('\n'));
  definition = join(slides, 'small.json');
  const columns = { path: 'path', id: 'id', patient: 'patient' };
  const source = { kind: 'slides', table: 'slides.csv', folder: '.', columns };
  writeFileSync(definition, JSON.stringify({ ...dataset.definition, labels: { from: 'none' }, source }));
  const whole = ['--data', join(folder, 'whole'), '--source', join(folder, 'source')];
  const { status, stderr } = spawnSync('npx', ['--no-install', 'pathlab', 'compile', definition, ...whole], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
}, 300_000);
afterAll(() => {
  for (const made of [folder, slides]) rmSync(made, { recursive: true, force: true });
});

/** An example of environment.md, for the test's dataset instead of its own and for fewer parts. */
function example(language: 'sh' | 'python', data: string): string {
  const block = page
    .split('```')
    .find((text) => text.startsWith(`${language}\n`) && /pathlab compile ptcga200/.test(text))!;
  const changes: [string, string][] = [
    [
      'ptcga200 --source /shared/ptcga200 --data /shared/data',
      `${definition} --source ${join(folder, 'source')} --data ${data}`,
    ],
    ...(language === 'sh'
      ? ([
          ['--array=1-8', `--array=1-${parts}`],
          ['SLURM_ARRAY_TASK_ID/8', `SLURM_ARRAY_TASK_ID/${parts}`],
        ] as [string, string][])
      : ([['parts = 8', `parts = ${parts}`]] as [string, string][])),
  ];
  return changes.reduce((text, [theirs, ours]) => {
    expect(text).toContain(theirs);
    return text.replace(theirs, ours);
  }, block.slice(language.length));
}

/** What has come out of the compiling in parts is what one process makes. */
async function expectWhole(data: string): Promise<void> {
  const files = async (made: string) =>
    Object.fromEntries(Object.entries(await digests(made)).filter(([name]) => !name.endsWith('.lock')));
  const whole = join(folder, 'whole');
  const [geometry] = readdirSync(join(whole, 'small'));
  expect(await files(join(data, 'small', geometry!))).toEqual(await files(join(whole, 'small', geometry!)));
}

describe('the examples of environment.md', { timeout: 300_000 }, () => {
  it('for SLURM submit an array that compiles each part, and then the finish', async () => {
    const data = join(folder, 'slurm');
    const bin = join(folder, 'bin');
    const log = join(folder, 'sbatch.log');
    mkdirSync(bin);
    // Runs what it is given at once, each task with its number, and says the job's.
    const sbatch = `#!/bin/sh
for word; do case $word in --array=*) tasks=$(seq \${word#--array=1-});; esac; wrapped=$word; done
printf '%s\n' "$*" >> ${log}
for SLURM_ARRAY_TASK_ID in \${tasks:-none}; do
  export SLURM_ARRAY_TASK_ID
  sh -c "$wrapped" >> ${log} 2>&1 || exit 1
done
echo 4711
`.replaceAll('\\$', '$');
    writeFileSync(join(bin, 'sbatch'), sbatch, { mode: 0o755 });
    const { status, stderr } = spawnSync('sh', ['-ec', example('sh', data)], {
      cwd: projectRoot,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
    const said = readFileSync(log, 'utf8');
    expect(status, stderr + said).toBe(0);
    expect(said.match(/^part \d\/3: .* 0 failed$/gm)).toHaveLength(parts);
    expect(said).toMatch(/^--dependency=afterany:4711 --wrap .* --finish$/m);
    await expectWhole(data);
  });

  it.skipIf(!hasSnakemake)(
    'for Snakemake compile each part on local cores, and then finish (needs Snakemake)',
    async () => {
      const data = join(folder, 'snakemake');
      const state = join(folder, 'rules');
      mkdirSync(state);
      writeFileSync(join(state, 'Snakefile'), example('python', data));
      symlinkSync(join(projectRoot, 'node_modules'), join(state, 'node_modules'));
      writeFileSync(join(state, 'package.json'), '{}');
      const { status, stderr } = spawnSync('snakemake', ['--cores', '2'], { cwd: state, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      expect(readdirSync(join(state, 'parts'))).toEqual(['1.done', '2.done', '3.done']);
      await expectWhole(data);
    },
  );
});
