/** A closed range that a parameter is drawn from uniformly. */
export type Range = readonly [low: number, high: number];

/**
 * How a random view of an image is made. A stage that is left out is not done. The stages run in torchvision's order:
 * crop and resize, flips, color jitter, grayscale, blur.
 */
export interface ViewRecipe {
  /** Side of the square view, px. */
  size: number;
  /** `RandomResizedCrop`: share of the image's area, and width / height (drawn uniformly in its logarithm). */
  crop: { scale: Range; ratio: Range };
  /** Probability of each flip. */
  flips?: { horizontal: number; vertical: number };
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

/** @throws RangeError that names the first setting which no view can be drawn from */
export function checkRecipe(recipe: ViewRecipe): void {
  const { size, crop, flips, jitter, grayscale, blur } = recipe;
  const need = (holds: boolean, what: string, got: unknown) => {
    if (!holds) throw new RangeError(`view recipe: ${what}; got ${JSON.stringify(got)}`);
  };
  const probability = (name: string, value: number) =>
    need(value >= 0 && value <= 1, `${name} is a probability in [0, 1]`, value);

  need(Number.isInteger(size) && size > 0, 'size is a whole number of px above 0', size);
  const [smallest, largest] = crop.scale;
  need(0 < smallest && smallest <= largest && largest <= 1, 'crop.scale is [low, high] within (0, 1]', crop.scale);
  need(0 < crop.ratio[0] && crop.ratio[0] <= crop.ratio[1], 'crop.ratio is [low, high] above 0', crop.ratio);
  if (flips) {
    probability('flips.horizontal', flips.horizontal);
    probability('flips.vertical', flips.vertical);
  }
  if (jitter) {
    probability('jitter.probability', jitter.probability);
    for (const part of ['brightness', 'contrast', 'saturation'] as const) {
      need(jitter[part] >= 0, `jitter.${part} is a strength of 0 or more`, jitter[part]);
    }
    need(jitter.hue >= 0 && jitter.hue <= 0.5, 'jitter.hue is in [0, 0.5] turns', jitter.hue);
  }
  if (grayscale !== undefined) probability('grayscale', grayscale);
  if (blur) {
    probability('blur.probability', blur.probability);
    need(0 < blur.sigma[0] && blur.sigma[0] <= blur.sigma[1], 'blur.sigma is [low, high] px above 0', blur.sigma);
    need(Number.isInteger(blur.kernelSize) && blur.kernelSize % 2 === 1, 'blur.kernelSize is odd', blur.kernelSize);
    const reach = (blur.kernelSize - 1) / 2;
    need(reach < size, `blur.kernelSize reaches ${reach} px, which must be less than the view's ${size}`, blur);
  }
}
