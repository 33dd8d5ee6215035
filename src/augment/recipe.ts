import type { HedJitter } from './hed-jitter.js';
import type { Interpolation } from './resample.js';

/** A closed range that a parameter is drawn from uniformly. */
export type Range = readonly [low: number, high: number];

/**
 * Recipe of a random view of an image. Stages are optional and run in this order: crop and resize, flips, stain jitter,
 * color jitter, grayscale, blur, solarization.
 */
export interface ViewRecipe {
  /** Side of the square view, px. */
  size: number;
  /**
   * `RandomResizedCrop`: share of the image's area, and width / height (drawn uniformly in its logarithm). Resized
   * bilinearly unless it says otherwise. Without it `RandomCrop`: a square of `size` px from a random place, not resized.
   */
  crop?: { scale: Range; ratio: Range; interpolation?: Interpolation };
  /** Probability of each flip. */
  flips?: { horizontal: number; vertical: number };
  /** Jitter of the stains' densities, applied with this probability; see `hedJitter`. */
  stain?: HedJitter & { probability: number };
  /**
   * `ColorJitter`, applied with this probability, its four parts in an order drawn for each image. Brightness,
   * contrast and saturation factors are drawn from [max(0, 1 - strength), 1 + strength], the hue shift from
   * [-hue, hue] in turns of the color circle.
   */
  jitter?: { probability: number; brightness: number; contrast: number; saturation: number; hue: number };
  /** Probability that the view is turned gray. */
  grayscale?: number;
  /** `GaussianBlur`, applied with this probability. Sigma and the kernel's odd side are in px of the view. */
  blur?: { probability: number; sigma: Range; kernelSize: number };
  /** Probability that the view is solarized: what is at least half as bright as white is inverted. */
  solarize?: number;
}

/**
 * The views of the paper's self-supervised pretraining, as its reference code sets them: crops of 80-100 % of the area,
 * jitter (.4, .4, .4, .1) at .8, grayscale at .2, blur of sigma .1-2 px at .5, both flips.
 *
 * The reference blurs with Pillow, which approximates a Gaussian by box filters; this is the Gaussian itself, in the 23
 * taps that SimCLR uses at 224 px (arXiv 2002.05709, appendix A). At the paper's scale `size` is 224 px of a 512 px
 * patch. At demo scale views are smaller, so that the same sigma in px blurs more of the tissue.
 */
export function selfSupervisedViews(size = 224): ViewRecipe {
  return { ...supervisedViews(size), grayscale: 0.2 };
}

/** The training view of the paper's supervised runs: `selfSupervisedViews` without grayscale. */
export function supervisedViews(size = 224): ViewRecipe {
  return {
    size,
    crop: { scale: [0.8, 1], ratio: [3 / 4, 4 / 3] },
    flips: { horizontal: 0.5, vertical: 0.5 },
    jitter: { probability: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
    blur: { probability: 0.5, sigma: [0.1, 2], kernelSize: 23 },
  };
}

/**
 * The training view of the paper's segmentation: a square of `size` px, not resized, both flips, and the jitter of its other
 * runs. The mask takes the same crop and flips (`applyMaskViews`).
 */
export function segmentationViews(size: number): ViewRecipe {
  const { flips, jitter } = supervisedViews(size);
  return { size, flips, jitter };
}

/**
 * BYOL's two views (Grill et al., 2020; arXiv 2006.07733, table 6) of the paper's crops and flips, resized bicubically as
 * the authors': the first is always blurred, the second seldom, and only the second is solarized.
 */
export function byolViews(size = 224): [ViewRecipe, ViewRecipe] {
  const { crop, jitter, blur, ...rest } = selfSupervisedViews(size);
  const view = {
    ...rest,
    crop: { ...crop!, interpolation: 'bicubic' as const },
    jitter: { ...jitter!, saturation: 0.2 },
  };
  return [
    { ...view, blur: { ...blur!, probability: 1 } },
    { ...view, blur: { ...blur!, probability: 0.1 }, solarize: 0.2 },
  ];
}

/**
 * DINO's multi-crop (Caron et al., 2021; arXiv 2104.14294, and the authors' code): two global views, as BYOL's but of 40-100 %
 * of the area, and behind them local ones of 5-40 %, half of them blurred. The paper's flips; bicubic as BYOL's.
 */
export function dinoViews(size = 224, local: { size: number; count: number } = { size: 96, count: 8 }): ViewRecipe[] {
  const globals = byolViews(size).map((view) => ({ ...view, crop: { ...view.crop!, scale: [0.4, 1] as const } }));
  const { solarize: _, blur, crop, ...view } = byolViews(local.size)[1];
  const small = { ...view, crop: { ...crop!, scale: [0.05, 0.4] as const }, blur: { ...blur!, probability: 0.5 } };
  return [...globals, ...Array.from({ length: local.count }, () => small)];
}

/** @throws RangeError that names the first setting which no view can be drawn from */
export function checkRecipe(recipe: ViewRecipe): void {
  const { size, crop, flips, stain, jitter, grayscale, blur, solarize } = recipe;
  const need = (holds: boolean, what: string, got: unknown) => {
    if (!holds) throw new RangeError(`view recipe: ${what}; got ${JSON.stringify(got)}`);
  };
  const probability = (name: string, value: number) =>
    need(value >= 0 && value <= 1, `${name} is a probability in [0, 1]`, value);

  need(Number.isInteger(size) && size > 0, 'size must be a positive whole number of px', size);
  if (crop) {
    const { scale, ratio, interpolation = 'bilinear' } = crop;
    need(0 < scale[0] && scale[0] <= scale[1] && scale[1] <= 1, 'crop.scale is [low, high] within (0, 1]', scale);
    need(0 < ratio[0] && ratio[0] <= ratio[1], 'crop.ratio is [low, high] above 0', ratio);
    need(['bilinear', 'bicubic'].includes(interpolation), 'crop.interpolation is bilinear or bicubic', interpolation);
  }
  if (flips) {
    probability('flips.horizontal', flips.horizontal);
    probability('flips.vertical', flips.vertical);
  }
  if (stain) {
    probability('stain.probability', stain.probability);
    need(stain.strength >= 0 && stain.strength < 1, 'stain.strength is in [0, 1)', stain.strength);
    need(stain.shift >= 0, 'stain.shift is 0 or more', stain.shift);
  }
  if (jitter) {
    probability('jitter.probability', jitter.probability);
    for (const part of ['brightness', 'contrast', 'saturation'] as const) {
      need(jitter[part] >= 0, `jitter.${part} is a strength of 0 or more`, jitter[part]);
    }
    need(jitter.hue >= 0 && jitter.hue <= 0.5, 'jitter.hue is in [0, 0.5] turns', jitter.hue);
  }
  if (grayscale !== undefined) probability('grayscale', grayscale);
  if (solarize !== undefined) probability('solarize', solarize);
  if (blur) {
    probability('blur.probability', blur.probability);
    need(0 < blur.sigma[0] && blur.sigma[0] <= blur.sigma[1], 'blur.sigma is [low, high] px above 0', blur.sigma);
    need(Number.isInteger(blur.kernelSize) && blur.kernelSize % 2 === 1, 'blur.kernelSize is odd', blur.kernelSize);
    const reach = (blur.kernelSize - 1) / 2;
    need(reach < size, `blur.kernelSize reaches ${reach} px, which must be less than the view's ${size}`, blur);
  }
}
