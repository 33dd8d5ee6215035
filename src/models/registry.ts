import type { Backbone } from './backbone.js';
import { bit } from './bit.js';
import { efficientnet } from './efficientnet.js';
import { inceptionV3 } from './inception.js';
import { resnet } from './resnet.js';
import { vit, vitBase16, vitBase32, vitLarge16, vitSmall16 } from './vit.js';

interface Known {
  make(): Backbone;
  /** Without a classifier. */
  parameters: number;
  /** Multiplications and additions, in pairs, of convolutions, dense layers and attention, for one image of its input size. */
  macs: number;
}

/** By timm's names, but for `resnet50_dilated` and `efficientnet_lite0`, which is timm's `tf_efficientnet_lite0`. */
const known = {
  resnet18: { make: () => resnet({ depth: 18 }), parameters: 11_176_512, macs: 1_813_561_344 },
  resnet50: { make: () => resnet({ depth: 50 }), parameters: 23_508_032, macs: 4_087_136_256 },
  resnet50_dilated: {
    make: () => resnet({ depth: 50, dilated: true }),
    parameters: 23_508_032,
    macs: 19_077_316_608,
  },
  resnetv2_50x1_bit: { make: bit, parameters: 23_500_352, macs: 4_087_136_256 },
  inception_v3: { make: () => inceptionV3(), parameters: 21_785_568, macs: 5_711_168_096 },
  tf_efficientnet_b3: {
    make: () => efficientnet({ variant: 'b3' }),
    parameters: 10_696_232,
    macs: 1_825_605_392,
  },
  efficientnet_b3: {
    make: () => efficientnet({ variant: 'b3', arithmetic: 'symmetric' }),
    parameters: 10_696_232,
    macs: 1_587_662_096,
  },
  efficientnet_lite0: {
    make: () => efficientnet({ variant: 'lite0' }),
    parameters: 3_371_008,
    macs: 383_907_552,
  },
  vit_small_patch16_224: { make: () => vit(vitSmall16), parameters: 21_665_664, macs: 4_598_498_304 },
  vit_base_patch32_224: { make: () => vit(vitBase32), parameters: 87_455_232, macs: 4_408_418_304 },
  vit_base_patch16_224: { make: () => vit(vitBase16), parameters: 85_798_656, macs: 17_563_060_224 },
  vit_large_patch16_224: { make: () => vit(vitLarge16), parameters: 303_301_632, macs: 61_553_688_576 },
} satisfies Record<string, Known>;

export type BackboneName = keyof typeof known;

export const backboneNames = Object.keys(known) as BackboneName[];

/**
 * A published network by its name, as `resnet50`. Its options are those of its own function, as `resnet` or `vit`.
 *
 * @throws RangeError for an unknown name, with the known ones
 */
export function backbone(name: string): Backbone {
  if (!Object.hasOwn(known, name)) {
    throw new RangeError(`there is no backbone "${name}"; known are ${backboneNames.join(', ')}`);
  }
  return known[name as BackboneName].make();
}

/** What a table of models shows. */
export interface ModelFacts extends Pick<Backbone, 'name' | 'featureSize' | 'inputSize' | 'source'> {
  /** Without a classifier. */
  parameters: number;
  /** Multiply-adds of convolutions, dense layers and attention, for one image of its input size. */
  macs: number;
}

/** Of each backbone of `backbone`. */
export function modelFacts(): ModelFacts[] {
  return backboneNames.map((name) => {
    const { featureSize, inputSize, source } = backbone(name);
    const { parameters, macs } = known[name];
    return { name, parameters, macs, inputSize, featureSize, source };
  });
}
