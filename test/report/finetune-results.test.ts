import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compileDataset, readDefinition, resolveDataset, slidesOnDisk } from '../../src/datasets/index.js';
import { disposeTensors, writeSafetensors } from '../../src/engine/index.js';
import { type ClassifiedCases, classifiedCases } from '../../src/evaluate/index.js';
import {
  compareFineTunings,
  compareGroups,
  type FineTuneData,
  type FineTuneRun,
  fineTuneExperiment,
  fineTuningData,
  gatherResults,
} from '../../src/experiments/index.js';
import { resnet, toTorch } from '../../src/models/index.js';
import { fineTuningMetrics } from '../../src/report/finetune-results.js';
import { bestFineTuning, differenceRows, findArms, showFineTunings } from '../../src/report/index.js';
import { testImage } from '../datasets/small-dataset.js';
import { fakeRun } from '../experiments/fake-runs.js';
import { openKernel, saidBy } from './kernel.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'finetune-results-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const experiment = fineTuneExperiment('20-finetune-ptcga200', { scale: 'smoke' });
const classNames = ['a', 'b', 'c'];

/** Five cases of each patient, of which so many are right. */
function casesOf(right: readonly number[]): ClassifiedCases {
  const cases = right.flatMap((count, patient) =>
    Array.from({ length: 5 }, (_, place) => ({
      patient: `p${patient}`,
      label: (patient + place) % 3,
      isRight: place < count,
    })),
  );
  return classifiedCases({
    probabilities: Float32Array.from(
      cases.flatMap(({ label, isRight }) =>
        classNames.map((_, other) => (other === (isRight ? label : (label + 1) % 3) ? 0.8 : 0.1)),
      ),
    ),
    labels: Int32Array.from(cases, ({ label }) => label),
    patients: cases.map(({ patient }) => patient),
    ...{ unit: 'patients', classNames },
  });
}

const worse = casesOf([1, 2, 3, 2, 1, 2, 3, 2]);
const better = casesOf([4, 5, 3, 4, 4, 5, 4, 3]);

describe('two arms of a fine-tuning page', () => {
  it.each([
    ['the baseline first', ['random', 'SimCLR']],
    ['the baseline last', ['SimCLR', 'random']],
  ])('have the sign of pretrained minus random in words, tables and files, %s', async (name, order) => {
    const messages = openKernel();
    const resultsOf = (arm: string) => (arm === 'random' ? worse : better);
    const arms = Object.fromEntries(order.map((arm) => [arm, [{ results: resultsOf(arm), fineTuningSeed: 0 }]]));
    const comparison = await compareFineTunings(experiment, { arms });
    const table = join(root, name.replaceAll(' ', '-'));
    await showFineTunings(comparison, { main: 'accuracy', table });
    const said = saidBy(messages);
    expect(said[0]).toMatch(
      /Accuracy on test patients.*(random 40\.0 %.*SimCLR 80\.0 %|SimCLR 80\.0 %.*random 40\.0 %)/,
    );
    const [values, differences] = said.slice(1, 3);
    expect(values).toMatch(/random +1 +0\.400 \(/);
    expect(values).toMatch(/SimCLR +1 +0\.800 \(/);
    expect(differences).toMatch(/SimCLR minus random +Accuracy +\+0\.400 \(\+0\.\d+ to \+0\.\d+\) +0\.0\d\d/);
    expect(differences).not.toContain('random minus');
    const csv = readFileSync(`${table}.csv`, 'utf8');
    expect(csv).toMatch(/^SimCLR,random,accuracy,0\.4/m);
    expect(csv).toMatch(/^SimCLR,,accuracy,0\.8,/m);
    expect(readFileSync(`${table}.tex`, 'utf8')).toContain('SimCLR minus random & Accuracy & +0.400');

    const runs = order.map((arm) => ({ arm, name: arm, results: resultsOf(arm) })) as unknown as (FineTuneRun & {
      results: ClassifiedCases;
    })[];
    expect(bestFineTuning(experiment, { runs }, comparison).arm).toBe('SimCLR');
    const data = {
      dataset: { report: { dataset: 'd' } },
      split: { by: 'patient' },
      by: 'patients',
      test: { count: 40 },
    };
    const metrics = fineTuningMetrics(experiment, data as unknown as FineTuneData, comparison);
    expect(Object.fromEntries(metrics.map(({ name, value }) => [name, Math.round(value)]))).toEqual({
      ...{ 'Accuracy, random': 40, 'Accuracy, SimCLR': 80 },
    });
  });

  it('keep it on the page of results', async () => {
    await fakeRun(join(root, 'runs', 'it'), { arms: { SimCLR: [0.8], random: [0.4] } });
    const { groups } = await gatherResults({ scale: 'demo', from: join(root, 'runs') });
    const rows = differenceRows(await compareGroups(groups, { key: key(1), resamples: 2000 }));
    // Of 32 cases 26 and 13 are right.
    expect(rows).toEqual([
      expect.objectContaining({
        Comparison: 'SimCLR minus random',
        'Difference (95 % interval)': expect.stringMatching(/^\+40\.6 \(\+/),
      }),
    ]);
  });
});

/** Shards of three patches of each patient; of two classes, one after the other. */
async function shardsOfPatients(count: number): Promise<string> {
  const folder = join(root, 'patches');
  mkdirSync(folder);
  const lines = ['path,class,patient'];
  for (let patch = 0; patch < 3 * count; patch++) {
    writeFileSync(join(folder, `${patch}.jpg`), await testImage(String(patch), 64));
    lines.push(`${patch}.jpg,${Math.floor(patch / 3) % 2},p${Math.floor(patch / 3)}`);
  }
  writeFileSync(join(folder, 'table.csv'), `${lines.join('\n')}\n`);
  const columns = { path: 'path', class: 'class', patient: 'patient' };
  const definition = {
    ...readDefinition('ptcga200'),
    ...{ name: 'mine', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [], notes: [] },
    source: { kind: 'csv', table: 'table.csv', folder: '.', columns },
    labels: {
      ...{ from: 'slide', classes: ['benign', 'cancer'].map((name, label) => ({ name, label })) },
      ...{ values: { 0: 'benign', 1: 'cancer' }, unmapped: 'error' },
    },
  };
  writeFileSync(join(folder, 'mine.json'), JSON.stringify(definition));
  const resolved = await resolveDataset(join(folder, 'mine.json'), { out: join(root, 'source') });
  const { ready: slides } = slidesOnDisk(resolved);
  return (await compileDataset({ definition: resolved.definition, slides }, { data: join(root, 'data') })).folder;
}

describe('the arms of a page', () => {
  it('are shown with what each begins with, and the comparisons that they are for', async () => {
    const files = ['published', 'mine'].map((name) => join(root, `${name}.safetensors`));
    for (const [seed, file] of files.entries()) {
      const model = resnet({ depth: 10, width: 0.25 }).initialize(key(seed));
      const stored = toTorch(model);
      await writeSafetensors(file, stored);
      disposeTensors(stored, model.parameters, model.state);
    }
    const asked = { ...{ scale: 'smoke', folds: 1 }, init: `random,imagenet=${files[0]},${files[1]}` } as const;
    const ofPage = fineTuneExperiment('20-finetune-ptcga200', {
      ...asked,
      data: await shardsOfPatients(8),
    });
    const data = await fineTuningData(ofPage);
    const messages = openKernel();
    const arms = await findArms(ofPage, data);
    expect(arms.map(({ name }) => name)).toEqual(['random', 'ImageNet', 'mine']);
    const [table, , fairness] = saidBy(messages);
    expect(table).toMatch(/^random +random +–/m);
    expect(table).toMatch(/^mine +.*mine\.safetensors +unknown: may have seen the test patients .* [0-9a-f]{12}$/m);
    expect(fairness).toContain('with the same budget, 4 steps of 8 patches, on the same training patients');
    expect(fairness).toContain('1 fold x 1 seed, 3 fine-tunings in all.');
    expect(fairness).toContain(
      'Named before training: 3 comparisons in Accuracy (ImageNet minus random; mine minus random; mine minus ImageNet).',
    );
  }, 60_000);
});
