import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exportRun } from '../../src/cli/export.js';
import { readSafetensors, type Tensor } from '../../src/engine/index.js';
import { untrainedRun } from './fine-tuned-runs.js';

const folder = mkdtempSync(join(tmpdir(), 'export-fine-tuned-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => void vi.spyOn(console, 'log').mockImplementation(() => {}));

const classNames = ['normal', 'tumor', 'stroma'];
const classifier = (backbone: string, arms = ['SimCLR']) =>
  untrainedRun(
    '20-finetune-ptcga200',
    { scale: 'smoke', backbone, seed: 1 },
    { ...{ classNames, arms }, out: join(folder, `run-${backbone}`) },
  );
const segmenter = (head: 'fcn' | 'deeplabv3', backbone: string) =>
  untrainedRun(
    '30-segment-segpanda200',
    { scale: 'smoke', backbone, head, seed: 1 },
    { ...{ classNames, arms: ['random'] }, out: join(folder, `run-${head}-${backbone}`) },
  );
const isSame = (one: Tensor, other: Tensor) => Buffer.from(one.dataSync()).equals(Buffer.from(other.dataSync()));
const card = (name: string) => readFileSync(join(folder, name, 'README.md'), 'utf8');
const shapes = async (path: string) =>
  Object.fromEntries(Object.entries((await readSafetensors(path)).tensors).map(([name, { shape }]) => [name, shape]));

describe('pathlab export of a fine-tuning run', { timeout: 60_000 }, () => {
  let two: string;
  beforeAll(async () => {
    two = await classifier('resnet18', ['random', 'SimCLR']);
  });

  it('writes the network of an arm with its classifier for timm', async () => {
    const out = join(folder, 'timm');
    expect(await exportRun([two, '--arm', 'SimCLR', '--to', 'timm', '--out', out])).toBe(0);
    const [written, kept, head] = await Promise.all(
      [
        join(out, 'model.safetensors'),
        ...['backbone', 'head'].map((part) => join(two, 'models', 'SimCLR-fold-1-seed-1', `${part}.safetensors`)),
      ].map(async (path) => (await readSafetensors(path)).tensors),
    );
    const { 'fc.weight': weight, 'fc.bias': bias, ...backbone } = written!;
    expect(weight!.shape).toEqual([3, 512]);
    expect(isSame(weight!, head!['head.weight']!) && isSame(bias!, head!['head.bias']!)).toBe(true);
    expect(Object.keys(backbone).sort()).toEqual(Object.keys(kept!).sort());
    for (const [name, tensor] of Object.entries(kept!)) expect(isSame(backbone[name]!, tensor), name).toBe(true);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({
      ...{ architecture: 'resnet18', num_classes: 3, model_args: { drop_rate: 0.4 } },
      pretrained_cfg: { num_classes: 3, classifier: 'fc', label_names: classNames, input_size: [3, 64, 64] },
    });
  });

  it('has a card with protocol, classes, earlier trainings, metrics with intervals, and limits', () => {
    for (const said of [
      '# resnet18, fine-tuned on slides (arm SimCLR)',
      "timm.create_model('resnet18', num_classes=3, drop_rate=0.4)",
      '- 1: tumor',
      '| arm | SimCLR |',
      '| protocol | folds: 2, seeds: 1; this model is of the first fold and seed |',
      '| early stopping | none: the last step |',
      '| orientations averaged at test time | flips |',
      `| first weights | net.pth (SHA-256 ${'f'.repeat(64)}) |`,
      '| 1 | not known | not known | not known |  |  |',
      '| 2 | 11-pretrain-simclr, demo scale | no | slides of before |  | past |',
      `| 3 | 20-finetune-ptcga200, smoke scale | yes | slides | ${'e'.repeat(64)} |`,
      '| slides of before |  | CC-BY-4.0 |  | ccc',
      '| accuracy, SimCLR | 62.5 % | 50.00 to 70.00 % | test patches |',
      'slides, CC0-1.0; slides of before, CC-BY-4.0; data that are not known, not known',
      'smoke scale',
      'on synthetic tissue',
      'they may have seen the test patients',
    ]) {
      expect(card('timm')).toContain(said);
    }
  });

  it('asks which arm, where there are several', async () => {
    const out = join(folder, 'none');
    const asked = /--arm takes one of the run's arms, which: "random", "SimCLR"/;
    await expect(exportRun([two, '--to', 'timm', '--out', out])).rejects.toThrow(asked);
    await expect(exportRun([two, '--arm', 'BYOL', '--to', 'timm', '--out', out])).rejects.toThrow(
      /not "BYOL": "random"/,
    );
  });

  it.each([
    [
      'vit_small_patch16_224',
      { 'head.weight': [3, 384], 'head.bias': [3] },
      { dynamic_img_size: true, drop_rate: 0.4 },
    ],
    ['resnetv2_50x1_bit', { 'head.fc.weight': [3, 2048, 1, 1], 'head.fc.bias': [3] }, { drop_rate: 0.4 }],
    ['efficientnet_lite0', { 'classifier.weight': [3, 1280], 'classifier.bias': [3] }, { drop_rate: 0.4 }],
  ])('names the classifier of %s as timm does', async (name, classifierShapes, options) => {
    const out = join(folder, name);
    await exportRun([await classifier(name), '--to', 'timm', '--out', out]);
    expect(await shapes(join(out, 'model.safetensors'))).toMatchObject(classifierShapes);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).model_args).toEqual(options);
  });

  it("writes torchvision's networks, of segmentation those that it has", async () => {
    const out = join(folder, 'torchvision');
    await exportRun([two, '--arm', 'SimCLR', '--to', 'torchvision', '--out', out]);
    expect(await shapes(join(out, 'model.safetensors'))).toMatchObject({ 'fc.weight': [3, 512] });
    expect(card('torchvision')).toContain('torchvision.models.resnet18(num_classes=3)\nmodel.load_state_dict');
    const dilated = await segmenter('fcn', 'resnet50_dilated');
    await exportRun([dilated, '--to', 'torchvision', '--out', join(folder, 'fcn')]);
    const names = Object.keys(await shapes(join(folder, 'fcn', 'model.safetensors')));
    expect(names).toContain('backbone.conv1.weight');
    expect(names.filter((name) => name.startsWith('classifier')).sort()).toEqual(
      [...['0.weight', '1.bias', '1.running_mean', '1.running_var', '1.weight', '4.bias', '4.weight']].map(
        (name) => `classifier.${name}`,
      ),
    );
    expect(names.every((name) => /^(backbone|classifier)\./.test(name))).toBe(true);
    expect(card('fcn')).toContain('torchvision.models.segmentation.fcn_resnet50(weights_backbone=None, num_classes=3)');
    expect(card('fcn')).toContain('Probabilities of 3 classes for each pixel of a patch');
    await expect(exportRun([dilated, '--to', 'timm', '--out', join(folder, 'no')])).rejects.toThrow(
      /timm has no networks for segmentation; use --to savedmodel/,
    );
    const other = await segmenter('fcn', 'resnet18');
    await expect(exportRun([other, '--to', 'torchvision', '--out', join(folder, 'no')])).rejects.toThrow(
      /torchvision has no network of the head fcn on resnet18 .*use --to savedmodel/,
    );
    expect(readdirSync(folder)).not.toContain('no');
  });

  it('refuses files that are not as the run left them', async () => {
    const out = join(folder, 'changed');
    writeFileSync(join(two, 'models', 'random-fold-1-seed-1', 'head.safetensors'), 'other');
    await expect(exportRun([two, '--arm', 'random', '--to', 'timm', '--out', out])).rejects.toThrow(
      /random-fold-1-seed-1.head.safetensors changed since the run \(see pathlab verify\)/,
    );
    rmSync(join(two, 'fine-tunings.json'));
    await expect(exportRun([two, '--arm', 'random', '--to', 'timm', '--out', out])).rejects.toThrow(
      /fine-tunings.json is missing/,
    );
  });
});
