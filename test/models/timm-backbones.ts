import { tf } from '../../src/engine/index.js';
import { type Backbone, bit, efficientnet, inceptionV3, resnet } from '../../src/models/index.js';

/** The convolutional networks, by their fixtures' names. */
export const timmBackbones: Record<string, Backbone> = {
  resnet18: resnet({ depth: 18 }),
  resnet50: resnet({ depth: 50 }),
  resnet50_dilated: resnet({ depth: 50, dilated: true }),
  resnetv2_50x1_bit: bit(),
  inception_v3: inceptionV3(),
  'inception_v3-auxiliary': withAuxiliary(5),
  tf_efficientnet_b3: efficientnet({ variant: 'b3' }),
  efficientnet_b3: efficientnet({ variant: 'b3', arithmetic: 'symmetric' }),
  efficientnet_lite0: efficientnet({ variant: 'lite0' }),
};

/** An auxiliary classifier's logits behind the features, as the fixture has them. */
function withAuxiliary(classes: number): Backbone {
  const network = inceptionV3({ auxiliaryClasses: classes });
  return {
    ...network,
    apply(model, images, options) {
      const { features, auxiliary, ...others } = network.apply(model, images, options);
      return { ...others, features: auxiliary ? tf.concat([features, auxiliary], 1) : features };
    },
  };
}
