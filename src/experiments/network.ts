import { imageNetColors } from '../augment/index.js';
import { type Backbone, backbone, backboneNames, resnet, type Vit, vit } from '../models/index.js';

/**
 * A ResNet of one block a stage and a quarter of the channels, 0.3 million parameters. In trials a ResNet-18 of the same
 * width needed 1.6 to 1.8 times the CPU time for a step, and learned less in the same time.
 */
export const smallResNet = () => resnet({ depth: 10, width: 0.25 });

/** 64 patches of 8 px; 0.5 million parameters. */
export const smallVit = () =>
  vit({ imageSize: 64, patchSize: 8, width: 96, depth: 4, heads: 4, colors: imageNetColors });

/** By their names. */
export const smallNetworks: Readonly<Record<string, () => Backbone>> = {
  small_resnet: smallResNet,
  small_vit: smallVit,
};

export const isVit = (network: Backbone): network is Vit => 'variant' in network;

/**
 * The network that a page's `backbone` names: a small one, or one of `backbone`. All vision transformers see images with
 * ImageNet's colors, as in DINO's and MAE's code, so that one page's weights fit another page.
 *
 * @throws RangeError for an unknown name, with the known ones
 */
export function networkNamed(name: string): Backbone {
  if (Object.hasOwn(smallNetworks, name)) return smallNetworks[name]!();
  if (!(backboneNames as string[]).includes(name)) {
    throw new RangeError(
      `there is no backbone "${name}"; known are ${[...Object.keys(smallNetworks), ...backboneNames].join(', ')}`,
    );
  }
  const network = backbone(name);
  return isVit(network) ? network.variant({ colors: imageNetColors }) : network;
}
