import type { Generator, Key } from '../base/index.js';
import { type Tensors, tf } from '../engine/index.js';
import { drawHedJitter } from './hed-jitter.js';
import { checkRecipe, type ViewRecipe } from './recipe.js';

/** Where a crop lies in its image, px. */
interface Crop {
  top: number;
  left: number;
  height: number;
  width: number;
}

/**
 * Weights of a blend, `clip(image x + gray g + meanGray m)`, of an image x with its grayscale g and the mean m of that.
 * Brightness, contrast and saturation are all of this form.
 */
type Blend = [image: number, gray: number, meanGray: number];

const unchanged: Blend = [1, 0, 0];
/** How many parts of the color jitter are blends: brightness, contrast, saturation. */
const blendCount = 3;

/**
 * Draws the parameters of views, on the host, each stage from a key of its own: what one stage draws does not depend
 * on the settings of another.
 *
 * @param views how many; one an image, or a multiple of that
 * @param image height and width of the images, px
 * @returns what `applyViews` takes, float32; stages that the recipe leaves out have no entry
 * - `cropRows`, `cropColumns` `[views, 3]`: start px, length px, 1 if flipped
 * - `blendsBeforeHue`, `blendsAfterHue` `[views, 3, 3]`: the jitter's blends in each view's own order
 * - `hueShift` `[views]`: turns
 * - `hedFactor`, `hedShift` `[views, 3]`: see `hedJitter`
 * - `grayscale`, `solarize` `[views]`: 1 if turned gray, or solarized
 * - `blurSigma` `[views]`: px, 0 where the view is not blurred
 * @throws RangeError if the recipe cannot be drawn from
 */
export function drawViewParameters(
  recipe: ViewRecipe,
  views: number,
  image: { height: number; width: number },
  key: Key,
): Tensors {
  checkRecipe(recipe);
  if (!(Number.isInteger(views) && views > 0)) throw new RangeError(`draw one view or more; got ${views}`);
  return {
    ...drawCrops(recipe, views, image, key),
    ...drawStain(recipe, views, key),
    ...drawJitter(recipe, views, key),
    ...drawChosen('grayscale', recipe.grayscale, views, key),
    ...drawBlur(recipe, views, key),
    ...drawChosen('solarize', recipe.solarize, views, key),
  };
}

function drawCrops(recipe: ViewRecipe, views: number, image: { height: number; width: number }, key: Key): Tensors {
  const crops = key.fold('crop').generator();
  const flips = key.fold('flips').generator();
  const { horizontal, vertical } = recipe.flips ?? { horizontal: 0, vertical: 0 };
  const rows: number[][] = [];
  const columns: number[][] = [];
  for (let index = 0; index < views; index++) {
    const { top, left, height, width } = drawCrop(recipe, image, crops);
    columns.push([left, width, flips.uniform() < horizontal ? 1 : 0]);
    rows.push([top, height, flips.uniform() < vertical ? 1 : 0]);
  }
  return { cropRows: tf.tensor2d(rows), cropColumns: tf.tensor2d(columns) };
}

/** As torchvision's `RandomResizedCrop.get_params`: ten tries, then the largest centered crop of an allowed ratio. */
function drawCrop({ crop, size }: ViewRecipe, image: { height: number; width: number }, generator: Generator): Crop {
  if (!crop) return drawSquare(size, image, generator);
  const { scale, ratio } = crop;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = image.height * image.width * generator.between(...scale);
    const aspect = Math.exp(generator.between(Math.log(ratio[0]), Math.log(ratio[1])));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width > 0 && height > 0 && width <= image.width && height <= image.height) {
      const top = generator.integer(image.height - height + 1);
      const left = generator.integer(image.width - width + 1);
      return { top, left, height, width };
    }
  }
  let { height, width } = image;
  if (width / height < ratio[0]) height = Math.round(width / ratio[0]);
  else if (width / height > ratio[1]) width = Math.round(height * ratio[1]);
  return {
    top: Math.floor((image.height - height) / 2),
    left: Math.floor((image.width - width) / 2),
    height,
    width,
  };
}

function drawSquare(size: number, { height, width }: { height: number; width: number }, generator: Generator): Crop {
  if (size > Math.min(height, width)) {
    throw new RangeError(
      `a crop of ${size} px that is not resized does not fit into images of ${height} x ${width} px`,
    );
  }
  const top = generator.integer(height - size + 1);
  return { top, left: generator.integer(width - size + 1), height: size, width: size };
}

function drawJitter({ jitter }: ViewRecipe, views: number, key: Key): Tensors {
  if (!jitter) return {};
  const generator = key.fold('jitter').generator();
  const before: Blend[][] = [];
  const after: Blend[][] = [];
  const shifts: number[] = [];
  for (let index = 0; index < views; index++) {
    const applied = generator.uniform() < jitter.probability;
    const brightness = drawFactor(jitter.brightness, generator);
    const contrast = drawFactor(jitter.contrast, generator);
    const saturation = drawFactor(jitter.saturation, generator);
    const shift = generator.between(-jitter.hue, jitter.hue);
    const blends: (Blend | 'hue')[] = [
      [brightness, 0, 0],
      [contrast, 0, 1 - contrast],
      [saturation, 1 - saturation, 0],
      'hue',
    ];
    generator.shuffle(blends);
    const hueAt = blends.indexOf('hue');
    const slots = Array.from({ length: blendCount }, (_, slot) => slot);
    const early = slots.map((slot) => (applied && slot < hueAt ? (blends[slot] as Blend) : unchanged));
    const late = slots.map((slot) => (applied && slot >= hueAt ? (blends[slot + 1] as Blend) : unchanged));
    before.push(early);
    after.push(late);
    shifts.push(applied ? shift : 0);
  }
  return {
    blendsBeforeHue: tf.tensor3d(before),
    hueShift: tf.tensor1d(shifts),
    blendsAfterHue: tf.tensor3d(after),
  };
}

function drawFactor(strength: number, generator: Generator): number {
  return generator.between(Math.max(0, 1 - strength), 1 + strength);
}

/** Draws which views a stage changes. */
function drawChosen(stage: string, probability: number | undefined, views: number, key: Key): Tensors {
  if (probability === undefined) return {};
  const generator = key.fold(stage).generator();
  const chosen = Array.from({ length: views }, () => (generator.uniform() < probability ? 1 : 0));
  return { [stage]: tf.tensor1d(chosen) };
}

function drawStain({ stain }: ViewRecipe, views: number, key: Key): Tensors {
  if (!stain) return {};
  return tf.tidy(() => {
    const { chosen } = drawChosen('chosen', stain.probability, views, key.fold('stain'));
    const { hedFactor, hedShift } = drawHedJitter(stain, views, key);
    const applied = chosen!.expandDims(1);
    return { hedFactor: hedFactor!.sub(1).mul(applied).add(1), hedShift: hedShift!.mul(applied) };
  });
}

function drawBlur({ blur }: ViewRecipe, views: number, key: Key): Tensors {
  if (!blur) return {};
  const generator = key.fold('blur').generator();
  const sigmas = Array.from({ length: views }, () => {
    const applied = generator.uniform() < blur.probability;
    const sigma = generator.between(...blur.sigma);
    return applied ? sigma : 0;
  });
  return { blurSigma: tf.tensor1d(sigmas) };
}
