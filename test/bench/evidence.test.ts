import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromCSV } from 'arquero';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript
import { batchOf, checkBatches, family, runsOf, sets } from '../../bench/evidence/plan.mjs';
// @ts-expect-error as above
import { adjusted, isFinished, resultsIn, withoutSecondaryP } from '../../bench/evidence/results.mjs';
// @ts-expect-error as above
import { notesOf, resultsText } from '../../bench/evidence/texts.mjs';
import { projectRoot, sha256 } from '../../src/base/index.js';
import { fineTuneExperiment, isFineTuning, pretrainExperiment } from '../../src/experiments/index.js';
import { runIdentity } from '../../src/runs/index.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'evidence-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const write = (path: string, content: unknown) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
};

describe('the plan of the evidence', () => {
  // biome-ignore lint/suspicious/noExplicitAny: of a program without types
  const planned: any[] = sets.flatMap((set: object) => runsOf(set, '../patches'));

  it('has settings that the notebooks take, in folders of their own, each after the pretrainings that it begins with', () => {
    expect(new Set(planned.map(({ out }) => out)).size).toBe(planned.length);
    for (const [place, { notebook, parameters, seconds }] of planned.entries()) {
      if (isFineTuning(notebook)) {
        const { batchSize, settings, seeds, folds } = fineTuneExperiment(notebook, parameters);
        expect([seeds, folds]).toEqual([5, 1]);
        expect(settings.learningRate * 1000).toBeCloseTo(
          (parameters.backbone === 'efficientnet_lite0' ? 1 : notebook.startsWith('30') ? 3 : 2) *
            (batchSize === 16 ? 0.5 : 1),
          9,
        );
      } else expect(pretrainExperiment(notebook, parameters).settings.epochs).toBe(parameters.epochs);
      expect(seconds).toBeGreaterThan(60);
      const begun = (parameters.init ?? '').split(',').filter((each: string) => each.includes('/'));
      const before = planned.slice(0, place).map(({ out }) => out);
      for (const run of begun) expect(before).toContain(run);
    }
    const hours = planned.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
    expect(hours).toBeLessThan(7);
  });

  it('gives all arms of a network and number of labels one run, and so one budget', () => {
    const cells = planned.filter(({ labels, rename }) => labels !== undefined && !rename);
    const names = cells.map(({ set, backbone, labels }) => `${set.name} ${backbone} ${labels}`);
    expect(new Set(names).size).toBe(cells.length);
    const control = planned.filter(({ rename }) => rename);
    expect(control.map(({ backbone, rename }) => [backbone, rename])).toEqual([
      ['small_resnet', { random: 'random, 4 x steps' }],
      ['efficientnet_lite0', { random: 'random, 4 x steps' }],
    ]);
    for (const { out, parameters } of control) {
      const same = planned.find((each) => each.out === out.replace('-steps-x4', ''));
      expect(parameters).toEqual({ ...same.parameters, init: 'random', steps: 4 * same.parameters.steps });
    }
  });

  it('has every comparison of the family', () => {
    expect(family).toHaveLength(9);
    for (const { set, backbone, labels, arm } of family) {
      const cell = planned.find(
        (run) => run.set.name === set && run.backbone === backbone && run.labels === labels && !run.rename,
      );
      const own = planned.filter((run) => run.set.name === set && run.backbone === backbone && run.arm === arm);
      expect(own).toHaveLength(1);
      expect(cell.parameters.init.split(',')).toEqual(expect.arrayContaining(['random', own[0].out]));
    }
  });

  it('refuses labels that do not fill a batch', () => {
    const set = { name: 'small', column: 'group', notebook: '20-finetune-ptcga200', steps: { 5: 1, all: 1 } };
    expect(() => checkBatches(set, [4, 4, 4])).toThrow(
      /small: 5 groups of about 4.0 patches do not fill a batch of 32/,
    );
    expect(() => checkBatches({ ...set, batchSize: 16 }, [4, 4, 4])).not.toThrow();
    expect(batchOf({ notebook: '30-segment-segpanda200' })).toBe(8);
  });

  const patches = join(projectRoot, '../shared/data/patches');
  it.skipIf(!existsSync(patches)).each(sets.map((set: { name: string }) => [set.name, set]))(
    'fits the units of ../shared/data/patches/%s',
    // biome-ignore lint/suspicious/noExplicitAny: of a program without types
    (name: string, set: any) => {
      const units = fromCSV(readFileSync(join(patches, name, 'index.csv'), 'utf8')).array(set.column) as string[];
      if (set.tile === undefined) expect(units.length).toBe(set.patches);
      const names = [...new Set(units)];
      checkBatches(
        set,
        names.map((own) => units.filter((unit) => unit === own).length),
      );
    },
  );
});

describe('a planned run', () => {
  const parameters = { scale: 'demo', init: 'random,runs/simclr', steps: 4, seed: 1 };
  const planned = { notebook: '20-finetune-ptcga200', parameters };
  const finished = (change: { given?: object; hashes?: object } = {}) => {
    const { hashes } = runIdentity(planned.notebook, { scale: 'demo' });
    write('run/parameters.json', { ...parameters, ...change.given });
    write('run/provenance.json', {
      hashes: { ...hashes, ...change.hashes },
      weights: { 'first weights of SimCLR: runs/simclr, backbone.safetensors': sha256('weights') },
    });
    write('runs/simclr/backbone.safetensors', 'weights');
    return isFinished(join(root, 'run'), planned, root);
  };

  it('is finished with the same code, parameters and first weights alone', async () => {
    expect(await isFinished(join(root, 'nothing'), planned, root)).toBe(false);
    expect(await finished()).toBe(true);
    await expect(finished({ hashes: { 'src/': 'other' } })).rejects.toThrow(/with other src\/: move it away/);
    await expect(finished({ given: { steps: 5 } })).rejects.toThrow(/with other steps/);
    await expect(finished({ given: { tile: 64 } })).rejects.toThrow(/with other tile/);
    await finished();
    write('runs/simclr/backbone.safetensors', 'others');
    await expect(isFinished(join(root, 'run'), planned, root)).rejects.toThrow(/with other weights of runs\/simclr/);
    rmSync(join(root, 'runs'), { recursive: true });
    await expect(isFinished(join(root, 'run'), planned, root)).rejects.toThrow(/with other weights of runs\/simclr/);
  });

  it('has results with the number of labels that it used, and arms by their names in the table', () => {
    write('cell/provenance.json', { runHash: 'h' });
    write('cell/test-cases.json', { labelled: 10, available: 97, sites: Array(48).fill(null) });
    write(
      'cell/results.csv',
      [
        'arm,against,metric,value,low,high,p,adjustedP,test,runs,fineTuningDeviation',
        'random,,auroc,0.7,0.6,0.8,,,,5,0.02',
        'random,,accuracy,0.6,,,,,,5,0.02',
        '"ImageNet, then SimCLR",,auroc,0.8,0.7,0.9,,,,5,0.01',
        '"ImageNet, then SimCLR",random,auroc,0.1,0.05,0.15,0.01,0.02,sign-flip,,',
        '"ImageNet, then SimCLR",random,accuracy,0.2,0.05,0.15,0.01,0.02,sign-flip,,',
      ].join('\n'),
    );
    const of = { set: 's', backbone: 'b', metric: 'auroc', rename: { random: 'random, 4 x steps' } };
    const { run, testUnits, values, differences } = resultsIn(join(root, 'cell'), of);
    expect([run, testUnits]).toEqual(['h', 48]);
    expect(values).toHaveLength(3);
    const cell = { set: 's', backbone: 'b', labels: 10, available: 97 };
    expect(values[1]).toMatchObject({ ...cell, arm: 'random, 4 x steps', metric: 'accuracy', value: 0.6, low: null });
    expect(differences).toEqual([
      {
        ...{ ...cell, arm: 'ImageNet, then SimCLR', against: 'random, 4 x steps', metric: 'auroc' },
        ...{ value: 0.1, low: 0.05, high: 0.15, p: 0.01, test: 'sign-flip' },
      },
    ]);
  });
});

describe('the family', () => {
  const measured = family.slice(0, 3).map((planned: object, place: number) => ({
    ...{ ...planned, value: 0.1, low: 0.01, high: 0.19, p: [0.004, 0.02, null][place] },
  }));

  it('is adjusted for all of its comparisons, measured or not', () => {
    const found = adjusted(family, measured);
    expect(found.map(({ isMeasured }: { isMeasured: boolean }) => isMeasured)).toEqual([
      ...Array(3).fill(true),
      ...Array(6).fill(false),
    ]);
    const values = found.map(({ adjustedP }: { adjustedP: number }) => adjustedP);
    expect(values.slice(0, 2)).toEqual([expect.closeTo(9 * 0.004, 12), expect.closeTo(8 * 0.02, 12)]);
    expect(values.slice(2)).toEqual(Array(7).fill(1));
    const all = adjusted(
      family,
      family.map((planned: object) => ({ ...planned, p: 0.001 })),
    );
    expect(all.every(({ adjustedP }: { adjustedP: number }) => Math.abs(adjustedP - 0.009) < 1e-12)).toBe(true);
  });

  it('alone has p-values', () => {
    const other = { ...measured[0], labels: 30 };
    expect(withoutSecondaryP(family, [measured[0], other])).toEqual([measured[0], { ...other, p: undefined }]);
  });

  it('stands in the text, with what is not measured, beside what the intervals hold for', () => {
    const [set] = sets;
    const values = [
      { backbone: 'small_resnet', labels: 10, arm: 'SimCLR', metric: set.metric, value: 0.81, low: 0.78, high: 0.84 },
      { backbone: null, labels: 5, arm: 'color histogram', metric: set.metric, value: 0.7, low: null, high: null },
    ];
    const pretrainings = [{ backbone: 'small_resnet', arm: 'SimCLR', seconds: 400 }];
    const one = { set, testUnits: 48, values, differences: measured, pretrainings };
    const text = resultsText([one], adjusted(family, measured), 'npm run campaign -- evidence');
    expect(text).toContain('| small ResNet | SimCLR | 400 s | – | 0.810 (0.780 to 0.840) |');
    expect(text).toContain('| none | color histogram | – | 0.700 | – |');
    expect(text).toContain('| lung-lc25000 | 10 | small ViT | MAE minus random | not measured | counts as 1 | 1.000 |');
    const notes = notesOf([one]).join(' ');
    expect(notes).toContain('48 patients of breast-idc');
    expect(notes).not.toMatch(/colon-glands|lung-lc25000/);
    const glands = sets.find(({ name }: { name: string }) => name === 'colon-glands');
    expect(notesOf([{ set: glands, testUnits: 10 }]).join(' ')).toMatch(/too narrow: colon-glands.*intervals only/);
  });
});
