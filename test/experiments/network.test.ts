import { describe, expect, it } from 'vitest';
import { imageNetColors } from '../../src/augment/index.js';
import { fineTuneExperiment, pretrainExperiment } from '../../src/experiments/index.js';
import { networkNamed } from '../../src/experiments/network.js';

describe('networks of pages, by name', () => {
  it('are small ones, and published ones', () => {
    expect(['small_resnet', 'small_vit', 'resnet18'].map((name) => networkNamed(name).name)).toEqual([
      'resnet10 (width x 0.25)',
      'vit (patch 8, width 96, depth 4)',
      'resnet18',
    ]);
    expect(() => networkNamed('resnet19')).toThrow(
      /there is no backbone "resnet19"; known are small_resnet, small_vit, resnet18/,
    );
  });

  it('see the colors that their pretraining saw', () => {
    const seen = (notebook: '14-pretrain-dino' | '15-pretrain-mae', backbone: string) =>
      pretrainExperiment(notebook, { scale: 'demo', backbone }).method.backbone.colors;
    for (const name of ['small_vit', 'vit_small_patch16_224', 'vit_base_patch32_224']) {
      const { method } = fineTuneExperiment('20-finetune-ptcga200', { scale: 'demo', backbone: name });
      expect(method.backbone.colors).toEqual(imageNetColors);
      expect([seen('14-pretrain-dino', name), seen('15-pretrain-mae', name)]).toEqual([imageNetColors, imageNetColors]);
    }
  });

  it('are those that a page has by default', () => {
    const [own, named] = [{}, { backbone: 'small_vit' }].map(
      (asked) => pretrainExperiment('15-pretrain-mae', { scale: 'demo', ...asked }).method.backbone.name,
    );
    expect(named).toBe(own);
  });
});
