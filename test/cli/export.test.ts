import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { digestOfFile, key } from '../../src/base/index.js';
import { exportRun } from '../../src/cli/export.js';
import { readSafetensors, writeSafetensors } from '../../src/engine/index.js';
import { pretrainExperiment } from '../../src/experiments/index.js';
import { backbone, toTorch } from '../../src/models/index.js';
import { openRun } from '../../src/runs/index.js';

const folder = mkdtempSync(join(tmpdir(), 'export-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run as a notebook leaves it, but for the training. */
async function finishedRun(backbone: string | undefined, notebook = '11-pretrain-simclr'): Promise<string> {
  const parameters = { scale: 'smoke' as const, backbone, seed: 1 };
  const { method } = pretrainExperiment(notebook, parameters);
  const run = await openRun({ notebook, parameters, out: join(folder, `${notebook}-${backbone}`) });
  const path = run.file('backbone.safetensors');
  await writeSafetensors(path, toTorch(method.backbone.initialize(key(1))));
  await run.keep({
    seed: 1,
    device: {},
    data: [{ name: 'slides', origin: 'a scanner', licence: 'CC0-1.0', synthetic: true, sha256: 'd'.repeat(64) }],
    splits: { 'training and held-out patches': 'e'.repeat(64) },
    weights: { 'backbone.safetensors': await digestOfFile(path), 'first weights: net.pth': 'f'.repeat(64) },
    metrics: [{ name: 'kNN accuracy', value: 61.5, unit: '%', about: 'held-out patches' }],
  });
  return run.folder;
}

let run: string;
beforeAll(async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
  run = await finishedRun('efficientnet_lite0');
});

describe('pathlab export', () => {
  it('writes weights, configuration and card for timm', async () => {
    const out = join(folder, 'timm');
    expect(await exportRun([run, '--to', 'timm', '--out', out])).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['README.md', 'config.json', 'model.safetensors']);
    const [given, written] = await Promise.all(
      [join(run, 'backbone.safetensors'), join(out, 'model.safetensors')].map((path) => readSafetensors(path)),
    );
    expect(written!.metadata.format).toBe('pt');
    expect(Object.keys(written!.tensors).sort()).toEqual(Object.keys(given!.tensors).sort());
    for (const [name, tensor] of Object.entries(given!.tensors)) {
      expect(written!.tensors[name]!.shape).toEqual(tensor.shape);
      expect(Buffer.from(written!.tensors[name]!.dataSync()).equals(Buffer.from(tensor.dataSync()))).toBe(true);
    }
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({
      architecture: 'tf_efficientnet_lite0',
      num_classes: 0,
      num_features: 1280,
      // Those of the views that it was trained and judged on.
      pretrained_cfg: { input_size: [3, 64, 64] },
    });
    const card = readFileSync(join(out, 'README.md'), 'utf8');
    const { runHash } = JSON.parse(readFileSync(join(run, 'provenance.json'), 'utf8'));
    for (const said of [
      'simclr',
      runHash,
      'd'.repeat(64),
      'e'.repeat(64),
      `| first weights | net.pth (SHA-256 ${'f'.repeat(64)}) |`,
      'smoke scale',
      'on synthetic tissue and is of no use on real slides',
      '| slides | a scanner | CC0-1.0 | yes |',
      '| kNN accuracy | 61.5 % |  | held-out patches |',
      `| 1 | 11-pretrain-simclr, smoke scale | no | slides | ${'e'.repeat(64)} | ${runHash} |`,
      "timm.create_model('tf_efficientnet_lite0', num_classes=0)",
      await digestOfFile(join(out, 'model.safetensors')),
      '## Intended use',
      '## Limits',
    ]) {
      expect(card).toContain(said);
    }
    await expect(exportRun([run, '--to', 'timm', '--out', out])).rejects.toThrow(/timm is not empty/);
  });

  it('tells timm what makes the same features, where a name does not', async () => {
    const out = join(folder, 'mae');
    const painter = await finishedRun('vit_small_patch16_224', '15-pretrain-mae');
    expect(await exportRun([painter, '--to', 'timm', '--out', out])).toBe(0);
    const { architecture, model_args } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    expect({ architecture, model_args }).toEqual({
      architecture: 'vit_small_patch16_224',
      // Means of patches after the last norm, of images of 64 px.
      model_args: { global_pool: 'avg', fc_norm: false, dynamic_img_size: true },
    });
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain(
      "('vit_small_patch16_224', num_classes=0, global_pool='avg', fc_norm=False, dynamic_img_size=True)",
    );
    const dilated = await finishedRun('resnet50_dilated');
    expect(backbone('resnet50_dilated').timmOptions).toEqual({ output_stride: 8 });
    const inTorchvision = join(folder, 'dilated');
    await exportRun([dilated, '--to', 'torchvision', '--out', inTorchvision]);
    expect(readFileSync(join(inTorchvision, 'README.md'), 'utf8')).toContain(
      'resnet50(replace_stride_with_dilation=[False, True, True])',
    );
  });

  it('says what cannot be exported', async () => {
    const out = join(folder, 'none');
    await expect(exportRun([run, '--to', 'torchvision', '--out', out])).rejects.toThrow(
      /efficientnet_lite0 cannot be exported to torchvision \(only resnet18, resnet50, resnet50_dilated, inception_v3 can\)/,
    );
    const own = await finishedRun(undefined);
    await expect(exportRun([own, '--to', 'timm', '--out', out])).rejects.toThrow(/timm has no network/);
    await expect(exportRun([run, '--to', 'keras', '--out', out])).rejects.toThrow(
      /--to takes timm, torchvision, savedmodel, onnx; got "keras"/,
    );
    await expect(exportRun([folder, '--to', 'timm', '--out', out])).rejects.toThrow(/is not a finished run/);
    writeFileSync(join(own, 'backbone.safetensors'), 'other');
    await expect(exportRun([own, '--to', 'timm', '--out', out])).rejects.toThrow(/changed since the run/);
  });
});
