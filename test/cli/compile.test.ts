import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { smallDataset, temporaryFolder } from '../datasets/small-dataset.js';

const program = fileURLToPath(new URL('../../kernel-setup/pathlab.mjs', import.meta.url));
let folder: string;
let definition: string;

function compile(...words: string[]) {
  const data = join(folder, 'data');
  const all = [program, 'compile', definition, '--data', data, '--source', join(folder, 'source'), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  folder = temporaryFolder();
  const dataset = await smallDataset(2);
  // The definition's own folder is that of the slides.
  const slides = dataset.slides.map((slide) => `${slide.id},${slide.patient},${basename(slide.path)}`);
  definition = join(dataset.slides[0]!.path, '..', 'small.json');
  writeFileSync(join(definition, '..', 'slides.csv'), ['id,patient,path', ...slides].join('\n'));
  const source = {
    kind: 'slides',
    table: 'slides.csv',
    folder: '.',
    columns: { path: 'path', id: 'id', patient: 'patient' },
  };
  writeFileSync(definition, JSON.stringify({ ...dataset.definition, source }));
});

describe('pathlab compile', () => {
  it('plans, compiles, and finds what is there', () => {
    const plan = compile('--plan', '--most', '5');
    expect(plan.stdout).toMatch(/slides {4}2, of which 0 have a shard\npatches {3}at most 10 \(200 um, 64 px\)/);
    const first = compile('--most', '5', '--workers', '2');
    expect(first.stdout).toMatch(/^10 patches of 2 slides; 0 failed\n/);
    expect(first.status).toBe(0);
    const made = first.stdout.trim().split('\n').at(-1)!;
    const report = JSON.parse(readFileSync(join(made, 'report.json'), 'utf8')) as { counts: { byPatient: object } };
    expect(report.counts.byPatient).toEqual({ 'patient-0': 10 });
    expect(compile('--most', '5').stderr).toMatch(/2 of 2: synthetic-0\d there already/);
  });

  it('says what is wrong with what was asked for', () => {
    expect(compile('--workers', '0')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/--workers takes a whole/),
    });
    expect(compile('--wrong').stderr).toMatch(/--wrong/);
    const nowhere = spawnSync(process.execPath, [program, 'compile', 'no-such-dataset'], { encoding: 'utf8' });
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringMatching(/no-such-dataset/)]);
  });
});
