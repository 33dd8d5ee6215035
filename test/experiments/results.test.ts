import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { openNotebook, parametersOfTexts, resolveParameters } from '../../src/cli/notebooks.js';
import { type ClassifiedCases, holm } from '../../src/evaluate/index.js';
import {
  compareGroups,
  type FineTuneNotebook,
  type FineTuneParameters,
  fineTuneExperiment,
  gatherResults,
  isFineTuning,
  type PretrainParameters,
  pretrainExperiment,
  type ResultGroup,
} from '../../src/experiments/index.js';
import { ofPatients } from '../../src/experiments/results-comparison.js';
import { resultsChart, resultTables } from '../../src/report/index.js';
import { paperNotes } from '../../src/report/results-paper.js';
import { fakeRun } from './fake-runs.js';

let top: string;
beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'results-'));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(top, `case-${++count}`);
  mkdirSync(folder);
});

const gather = (from = folder, scale: 'smoke' | 'demo' | 'paper' = 'demo') => gatherResults({ scale, from });
const compare = (groups: readonly ResultGroup[]) => compareGroups(groups, { key: key(1), resamples: 2000 });
const both = { random: [0.4], SimCLR: [0.8] };
/** Values without the runs that they are from. */
const valuesOf = async (from: string) =>
  (await compare((await gather(from)).groups)).map(({ comparison, sites }) => ({ comparison, sites }));

describe('the columns of the results', () => {
  it('never mix scales, data, splits, patients, labels, settings or code', async () => {
    await fakeRun(join(folder, 'first'), { arms: both });
    const others = {
      scale: { scale: 'smoke' },
      paper: { scale: 'paper' },
      data: { data: 'other' },
      split: { split: 'other' },
      patients: { patients: 6 },
      labels: { labelled: 5, parameters: { labels: 5 } },
      steps: { parameters: { steps: 7 } },
      network: { parameters: { backbone: 'resnet18' } },
      metric: { parameters: { metric: 'balancedAccuracy' } },
      task: { notebook: '21-finetune-pcam200' },
    };
    for (const [name, change] of Object.entries(others))
      await fakeRun(join(folder, name), { arms: both, seed: 2, ...change });
    await fakeRun(join(folder, 'seed'), { arms: both, seed: 2 });
    const { groups, leftOut } = await gather();
    expect(leftOut).toEqual([]);
    expect(groups).toHaveLength(1 + Object.keys(others).length);
    const sizes = groups.map(({ runs, arms }) => [runs.length, arms.SimCLR!.length]);
    // The one that differs in its seed only is in the column of the first.
    expect(sizes.filter(([runs]) => runs === 2)).toEqual([[2, 2]]);
    expect(groups.map(({ scale }) => scale)).toEqual(['paper', ...Array(9).fill('demo'), 'smoke']);
    const { rows } = resultTables(await compare(groups))[1]!;
    for (const heading of Object.keys(rows[0]!).slice(1)) expect(heading).toContain('paper scale');
    const tables = resultTables(await compare(groups)).slice(1);
    const own = tables.flatMap(({ rows }) =>
      Object.keys(rows[0]!).filter((name) => !/^Pretraining$|: the paper$/.test(name)),
    );
    expect(new Set(own).size).toBe(groups.length);
    for (const { caption, rows } of tables.slice(1)) {
      const scale = caption.startsWith('At smoke') ? 'smoke' : 'demo';
      for (const heading of Object.keys(rows[0]!).slice(1))
        expect(heading).toMatch(new RegExp(`${scale} scale|: the paper$`));
    }
  });

  it('are of the latest of several codes, attempts and trainings of the same seed, and say what they leave out', async () => {
    await fakeRun(join(folder, 'old'), { arms: both, code: 'old' });
    await fakeRun(join(folder, 'new'), { arms: both, ended: '2026-02-01' });
    await fakeRun(join(folder, 'again'), { arms: { random: [0.9] }, ended: '2026-03-01' });
    const simclr = { notebook: '11-pretrain-simclr', code: 'old' };
    await fakeRun(join(folder, 'simclr'), simclr);
    await fakeRun(join(folder, 'simclr-later'), { ...simclr, code: 'new', ended: '2026-02-01' });
    const { groups, leftOut, runs } = await gather();
    const idOf = (name: string) => runs.find((run) => run.folder.endsWith(name))!.id;
    expect(runs.filter(({ notebook }) => notebook === simclr.notebook).map(({ id }) => id)).toEqual([
      idOf('simclr-later'),
    ]);
    expect(
      groups.map(({ arms }) => Object.entries(arms).map(([arm, of]) => [arm, of.map(({ run }) => run.id)])),
    ).toEqual([
      [
        ['random', [idOf('again')]],
        ['SimCLR', [idOf('new')]],
      ],
    ]);
    expect(leftOut).toEqual([
      { name: expect.any(String), reason: 'a later pretraining has the same parameters and data' },
      { name: idOf('old'), reason: expect.stringContaining(`other code made it than ${idOf('again')}`) },
      { name: idOf('new'), reason: expect.stringMatching(/^1 of its trainings/) },
    ]);
  });

  it('keep apart what was pretrained differently under one name, or at another scale', async () => {
    const simclr = { notebook: '11-pretrain-simclr', scale: 'demo' };
    const short = await fakeRun(join(folder, 'short'), { ...simclr, parameters: { epochs: 1 } });
    const long = await fakeRun(join(folder, 'long'), { ...simclr, parameters: { epochs: 9 } });
    const longAgain = await fakeRun(join(folder, 'long-2'), {
      ...simclr,
      parameters: { epochs: 9 },
      ended: '2026-02-01',
    });
    const arms = { SimCLR: [0.5] };
    await fakeRun(join(folder, 'one'), { arms, past: { SimCLR: { runHash: short } } });
    await fakeRun(join(folder, 'two'), { arms, past: { SimCLR: { runHash: long } }, seed: 2 });
    await fakeRun(join(folder, 'three'), { arms, past: { SimCLR: { runHash: longAgain } }, seed: 3 });
    await fakeRun(join(folder, 'four'), { arms, past: { SimCLR: { runHash: 'unknown', scale: 'smoke' } }, seed: 4 });
    const [group, ...rest] = (await gather()).groups;
    expect(rest).toEqual([]);
    const sizes = Object.entries(group!.arms).map(([arm, of]) => [arm.replace(/\[.*\]/, '[]'), of.length]);
    expect(sizes.sort()).toEqual([
      ['SimCLR (pretrained at smoke scale)', 1],
      ['SimCLR []', 1],
      ['SimCLR []', 2],
    ]);
  });

  it('have one row of the same weights, whatever runs call them', async () => {
    const simclr = await fakeRun(join(folder, 'simclr'), { notebook: '11-pretrain-simclr', parameters: { epochs: 4 } });
    const past = { runHash: simclr };
    const arms = { 'SimCLR (epochs 4)': [0.6], resnet50: [0.5] };
    await fakeRun(join(folder, 'one'), {
      ...{ arms, past: { 'SimCLR (epochs 4)': past }, fileOfArm: { resnet50: 'it' } },
    });
    await fakeRun(join(folder, 'two'), {
      ...{ arms: { SimCLR: [0.7], ImageNet: [0.5] }, past: { SimCLR: past }, fileOfArm: { ImageNet: 'it' }, seed: 2 },
    });
    const [group, ...rest] = (await gather()).groups;
    expect(rest).toEqual([]);
    expect(
      Object.entries(group!.arms).map(([arm, of]) => [arm, of.map(({ fineTuningSeed }) => fineTuningSeed)]),
    ).toEqual([
      ['SimCLR (epochs 4)', [2, 4]],
      ['ImageNet', [2, 4]],
    ]);
  });

  it('count weights that a run has under two names once, and say so', async () => {
    const arms = { one: [0.5], other: [0.5] };
    await fakeRun(join(folder, 'run'), { arms, fileOfArm: { one: 'it', other: 'it' } });
    const { groups, leftOut, runs } = await gather();
    expect(Object.values(groups[0]!.arms).map((of) => of.length)).toEqual([1]);
    expect(leftOut).toEqual([
      { name: runs[0]!.id, reason: expect.stringMatching(/^1 of its trainings: others of it/) },
    ]);
  });

  it('do not depend on where runs are, in which order, and how often', async () => {
    for (const [place, shares] of [0.3, 0.5, 0.9].entries()) {
      await fakeRun(join(folder, `run-${place}`), { arms: { random: [0.4], SimCLR: [shares] }, seed: place + 1 });
    }
    const known = await valuesOf(folder);
    expect(known[0]!.comparison.values[0]!.runs).toBe(3);
    const { inputs } = await gather();
    const copies = join(folder, '..', `copies-${count}`, 'of', 'another');
    cpSync(join(folder, 'run-2'), join(copies, 'machine'), { recursive: true });
    cpSync(join(folder, 'run-0'), join(copies, 'run-9'), { recursive: true });
    const runs = ['run-1', 'run-0'].map((name) => join(folder, name));
    for (const from of [
      [...runs, copies],
      [copies, ...runs],
      [copies, folder],
    ]) {
      expect(await valuesOf(from.join(','))).toEqual(known);
      expect((await gather(from.join(','))).inputs).toEqual(inputs);
    }
    await fakeRun(join(folder, 'more'), { arms: both, seed: 9 });
    expect((await gather()).inputs).not.toEqual(inputs);
  });
});

describe('a run', () => {
  it('is found through links, of which some lead back or nowhere', async () => {
    await fakeRun(join(top, `elsewhere-${count}`, 'run'), { arms: both });
    symlinkSync(join(top, `elsewhere-${count}`), join(folder, 'linked'));
    symlinkSync(folder, join(folder, 'back'));
    symlinkSync(join(folder, 'itself'), join(folder, 'itself'));
    symlinkSync(join(folder, 'nothing'), join(folder, 'nowhere'));
    const { runs, leftOut } = await gather();
    expect([runs.length, leftOut]).toEqual([1, []]);
  });

  it.each([
    ['that was edited', { edited: ['1'] }, /it was edited/],
    [
      'with a NaN among its predictions',
      { broken: 'predictions' as const },
      /predictions of random-5: case 0 .* is NaN/,
    ],
    ['with a metric that is no number', { broken: 'metric' as const }, /its metric "kNN" is null/],
    ['with parameters that are none', { parameters: { folds: 0 } }, /folds must be/],
  ])('%s is left out with the reason', async (_, change, reason) => {
    await fakeRun(join(folder, 'good'), { arms: both });
    await fakeRun(join(folder, 'bad'), { arms: both, seed: 5, ...change });
    const { groups, leftOut } = await gather();
    expect(groups.map(({ runs }) => runs.length)).toEqual([1]);
    expect(leftOut).toEqual([{ name: expect.any(String), reason: expect.stringMatching(reason) }]);
  });

  it.each([
    ['predictions/SimCLR-1.safetensors', /^predictions\/SimCLR-1.safetensors has changed since the run/],
    ['test-cases.json', /^test-cases.json has changed/],
    ['provenance.json', /^provenance.json cannot be read/],
  ])('with a broken %s is left out by name', async (name, reason) => {
    await fakeRun(join(folder, 'broken'), { arms: both });
    const path = join(folder, 'broken', name);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    const { groups, leftOut } = await gather();
    expect(groups).toEqual([]);
    expect(leftOut).toEqual([{ name: expect.stringMatching(/broken$/), reason: expect.stringMatching(reason) }]);
  });

  it('that is not finished, or was made before runs kept their test patches, is left out by name', async () => {
    await fakeRun(join(folder, 'running'), { arms: both });
    rmSync(join(folder, 'running', 'provenance.json'));
    writeFileSync(join(folder, 'running', 'events.jsonl'), '{"kind":"opened","notebook":"20-finetune-ptcga200"}\n');
    await fakeRun(join(folder, 'before'), { arms: both });
    const path = join(folder, 'before', 'provenance.json');
    const provenance = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(
      path,
      JSON.stringify({ ...provenance, files: { ...provenance.files, 'test-cases.json': undefined } }),
    );
    expect((await gather()).leftOut.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/it keeps no test-cases.json: an earlier version/),
      'it is not finished',
    ]);
    await expect(gather(join(folder, 'nothing'))).rejects.toThrow(/from: there is no folder .*nothing/);
  });
});

describe('the comparison', () => {
  it('adjusts p-values over all columns of a scale and no other', async () => {
    const arms = { random: [0.3], ImageNet: [0.5], SimCLR: [0.9] };
    await fakeRun(join(folder, 'one'), { arms });
    await fakeRun(join(folder, 'two'), { arms, notebook: '21-finetune-pcam200', parameters: { metric: 'accuracy' } });
    await fakeRun(join(folder, 'three'), { arms, scale: 'smoke' });
    const compared = await compare((await gather()).groups);
    for (const [scale, size] of [
      ['demo', 6],
      ['smoke', 3],
    ] as const) {
      const all = compared.flatMap(({ group, comparison }) => (group.scale === scale ? comparison.differences : []));
      expect(all.map(({ adjustedP }) => adjustedP)).toEqual(holm(all.map(({ p }) => p.value)));
      expect(all).toHaveLength(size);
    }
    const [{ comparison }] = compared as [(typeof compared)[0]];
    const [first, second] = ['SimCLR', 'random'].map(
      (arm) => comparison.values.find((each) => each.arm === arm && each.metric === 'accuracy')!.value.value!,
    );
    const of = comparison.differences.find(({ arm, against }) => arm === 'SimCLR' && against === 'random')!;
    expect(of.value.value).toBeCloseTo(first! - second!, 12);
  });

  it('is of the patients of a site alone, where two are known', async () => {
    await fakeRun(join(folder, 'run'), { arms: both });
    const { groups } = await gather();
    const [{ sites }] = (await compare(groups)) as [Awaited<ReturnType<typeof compare>>[0]];
    expect(sites.map(({ site, patients }) => [site, patients])).toEqual([
      ['east', 4],
      ['west', 4],
    ]);
    const cases = groups[0]!.arms.SimCLR![0]!.results as ClassifiedCases;
    const isRight = (row: number) => cases.probabilities[4 * row + cases.labels[row]!]! > 0.5;
    for (const [place, { comparison }] of sites.entries()) {
      const rows = [...cases.labels.keys()].filter((row) => cases.patientOf[row]! % 2 === 1 - place);
      const share = rows.filter(isRight).length / rows.length;
      expect(comparison.values.find(({ arm }) => arm === 'SimCLR')!.value.value).toBeCloseTo(share, 12);
    }
    expect(ofPatients(cases, [...cases.patients.keys()])).toEqual(cases);
  });

  it('has values without intervals of one patient', async () => {
    await fakeRun(join(folder, 'run'), { arms: both, patients: 1 });
    const compared = await compare((await gather()).groups);
    expect(compared[0]!.sites).toEqual([]);
    for (const { value, interval } of compared[0]!.comparison.values) {
      expect([Number.isFinite(value.value), interval]).toEqual([true, null]);
    }
    expect(resultsChart(compared).alt).toMatch(/SimCLR \d+\.\d$/);
  });
});

describe('missing cells', () => {
  it('are all without runs, and none of what a default run has', async () => {
    const { missing, groups, runs } = await gather();
    expect([groups, runs]).toEqual([[], []]);
    expect(missing.map(({ pretraining, on }) => `${pretraining} ${on.length}`)).toEqual([
      ...['random 3', 'ImageNet 3', 'COCO 1', 'Supervised 3', 'SimCLR 3', 'MoCo v2 3', 'BYOL 3', 'DINO 3', 'MAE 3'],
    ]);
    await fakeRun(join(folder, 'run'), { arms: both });
    await fakeRun(join(folder, 'own'), { arms: { BYOL: [0.5] }, data: 'own', parameters: { data: 'mine' } });
    await fakeRun(join(folder, 'smoke'), { arms: { DINO: [0.5] }, scale: 'smoke' });
    const onFirst = (await gather()).missing.filter(({ on }) => on.includes('PTCGA200'));
    const names = onFirst.map(({ pretraining }) => pretraining);
    expect(names).toEqual(['ImageNet', 'Supervised', 'MoCo v2', 'BYOL', 'DINO', 'MAE']);
  });

  it('say in their commands what a file is', async () => {
    const { missing } = await gather(folder, 'paper');
    for (const [name, init] of [
      ['ImageNet', 'random,imagenet=FILE'],
      ['COCO', 'random,coco=FILE'],
    ]) {
      for (const command of missing.find(({ pretraining }) => pretraining === name)!.commands)
        expect(command).toContain(`-p init ${init}`);
    }
  });

  it.each(['smoke', 'demo', 'paper'] as const)(
    'have commands that their notebooks take, at %s scale',
    async (scale) => {
      const commands = (await gather(folder, scale)).missing.flatMap((each) => each.commands);
      expect(commands.length).toBeGreaterThan(20);
      for (const command of commands) {
        expect(command).toMatch(/^npm run notebook -- \S+( -p \S+ \S+)+$/);
        const [, name, rest] = /^npm run notebook -- (\S+)((?: -p \S+ \S+)+)$/.exec(command)!;
        const notebook = openNotebook(name!);
        const texts = [...rest!.matchAll(/-p (\S+) (\S+)/g)].map(([, of, value]) => [of!, value!] as const);
        const parameters = resolveParameters(notebook, parametersOfTexts(notebook, texts)) as unknown;
        if (isFineTuning(name!)) fineTuneExperiment(name as FineTuneNotebook, parameters as FineTuneParameters);
        else pretrainExperiment(name!, parameters as PretrainParameters);
      }
    },
  );
});

describe('the tables', () => {
  it("have the paper's numbers without runs, and nothing that is not known", () => {
    const tables = resultTables([]);
    expect(tables).toHaveLength(1);
    expect(tables[0]!.rows.filter(({ Pretraining }) => Pretraining === 'SimCLR')).toEqual([
      expect.objectContaining({
        Task: 'PTCGA200',
        Network: 'ResNet-50',
        Metric: 'accuracy',
        '%, paper scale': '86.41',
      }),
    ]);
    expect(resultsChart([]).alt).toContain('SimCLR in the paper 86.4');
  });

  it('have the run beside each number', async () => {
    await fakeRun(join(folder, 'run'), { arms: both, scale: 'paper' });
    const { groups, runs } = await gather();
    const [, { rows }] = resultTables(await compare(groups)) as [unknown, ReturnType<typeof resultTables>[0]];
    expect(rows.map(({ Pretraining }) => Pretraining)).toEqual(['random', 'SimCLR']);
    const heading = 'PTCGA200, accuracy %, ResNet-50, paper scale: the paper';
    expect(rows.map((row) => row[heading])).toEqual(['not known here', '86.41']);
    for (const row of rows) expect(Object.values(row)[2]).toMatch(new RegExp(`^\\d+\\.\\d \\(.*\\) · ${runs[0]!.id}$`));
  });

  it("have no paper's number beside another network or metric, and say so", async () => {
    await fakeRun(join(folder, 'network'), { arms: both });
    const other = { backbone: 'resnet50', metric: 'balancedAccuracy' };
    await fakeRun(join(folder, 'metric'), { arms: both, scale: 'paper', parameters: other });
    const compared = await compare((await gather()).groups);
    for (const { rows } of resultTables(compared).slice(1)) {
      for (const row of rows) expect(Object.keys(row).join()).not.toContain('the paper');
    }
    expect(resultsChart(compared).alt).not.toContain('in the paper');
    expect(paperNotes(compared)).toEqual([
      expect.stringMatching(/on PTCGA200 are accuracy: none stands beside PTCGA200, Balanced accuracy/),
      expect.stringMatching(/on PTCGA200 are of ResNet-50: none stands beside small ResNet/),
    ]);
  });

  it.each([
    [{}, '63.53'],
    [{ backbone: 'resnet50', head: 'linear' }, undefined],
    [{ backbone: 'resnet50_dilated', head: 'deeplabv3' }, 'not known here'],
  ])('of masks have the paper beside its own mIoU, of the same head: %o', async (parameters, value) => {
    await fakeRun(join(folder, 'run'), { arms: { random: [0.4], 'MoCo v2': [0.8] }, scale: 'paper' });
    const [group] = (await gather()).groups;
    const cases = {
      ...{ classNames: ['a', 'b', 'c'], unit: 'patients' as const, patients: ['p'], casesOf: [1] },
      // The third class is nowhere: 0 by the paper's rule, and left out by ours.
      confusion: [Float64Array.of(4, 0, 0, 0, 4, 0, 0, 0, 0)],
      boundaries: [new Float64Array(12)],
    };
    const notebook = '30-segment-segpanda200';
    const experiment = fineTuneExperiment(notebook, { scale: 'paper', ...parameters });
    const arms = { 'MoCo v2': group!.arms['MoCo v2']!.map((each) => ({ ...each, results: cases })) };
    const compared = await compare([
      { ...group!, notebook, arms, experiment, cases: { ...group!.cases, sites: [null] } } as unknown as ResultGroup,
    ]);
    const [row] = resultTables(compared)[1]!.rows as [Record<string, string>];
    const paper = Object.entries(row).find(([name]) => name.endsWith('the paper'));
    expect(paper?.[1]).toBe(value);
    if (paper)
      expect(paper[0]).toContain(value === '63.53' ? 'mIoU (paper) %, ResNet-50, FCN' : 'ResNet-50, DeepLab v3');
    const own = Object.keys(row).find((name) => name.endsWith('mIoU (paper) %'));
    expect(own && row[own]).toEqual(value && expect.stringMatching(/^66\.7/));
    expect(Object.values(row).at(-1)).toMatch(/^100\.0/);
    expect(resultsChart(compared).alt).not.toContain('in the paper');
  });
});
