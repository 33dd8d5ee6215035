import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyViews, centerView, imagesFromBytes, type ViewRecipe } from '../../src/augment/index.js';
import { type Tensor, type Tensors, tf } from '../../src/engine/index.js';

const folder = new URL('../fixtures/torchvision-views/', import.meta.url);

interface View {
  top: number;
  left: number;
  height: number;
  width: number;
  horizontalFlip: boolean;
  verticalFlip: boolean;
  order: ('brightness' | 'contrast' | 'saturation' | 'hue')[];
  factors: Record<'brightness' | 'contrast' | 'saturation' | 'hue', number>;
  grayscale: boolean;
  sigma: number;
}

const facts = JSON.parse(readFileSync(new URL('views.json', folder), 'utf8')) as {
  count: number;
  height: number;
  width: number;
  size: number;
  kernelSize: number;
  centerCrop: number;
  views: View[];
};
const { count, height, width, size, views } = facts;
const images = imagesFromBytes(readFileSync(new URL('images.bin', folder)), [count, height, width, 3]);

function reference(name: string): Float32Array {
  const bytes = readFileSync(new URL(`${name}.bin`, folder));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** The fixture's parameters in the form that `drawViewParameters` gives them. */
function cropParameters(): Tensors {
  return {
    cropRows: tf.tensor2d(views.map((view) => [view.top, view.height, Number(view.verticalFlip)])),
    cropColumns: tf.tensor2d(views.map((view) => [view.left, view.width, Number(view.horizontalFlip)])),
  };
}

function colorParameters(): Tensors {
  const blends = (early: boolean) =>
    views.map(({ order, factors }) =>
      [0, 1, 2].map((slot) => {
        const hueAt = order.indexOf('hue');
        const name = early ? (slot < hueAt ? order[slot] : undefined) : slot >= hueAt ? order[slot + 1] : undefined;
        if (name === 'brightness') return [factors.brightness, 0, 0];
        if (name === 'contrast') return [factors.contrast, 0, 1 - factors.contrast];
        if (name === 'saturation') return [factors.saturation, 1 - factors.saturation, 0];
        return [1, 0, 0];
      }),
    );
  return {
    blendsBeforeHue: tf.tensor3d(blends(true)),
    hueShift: tf.tensor1d(views.map((view) => view.factors.hue)),
    blendsAfterHue: tf.tensor3d(blends(false)),
    grayscale: tf.tensor1d(views.map((view) => Number(view.grayscale))),
  };
}

const crop: ViewRecipe['crop'] = { scale: [0.1, 1], ratio: [0.5, 2] };

function largestDifference(views: Tensor, expected: Float32Array): number {
  const values = views.dataSync();
  expect(values.length).toBe(expected.length);
  return expected.reduce((largest, value, index) => Math.max(largest, Math.abs(value - values[index]!)), 0);
}

describe('views against torchvision', () => {
  it('crops, resizes with antialiasing, and flips', () => {
    const cropped = applyViews(images, cropParameters(), { size, crop });
    expect(largestDifference(cropped, reference('cropped'))).toBeLessThan(2e-6);
  });

  it('resizes crops bicubically where the recipe says so', () => {
    const cropped = applyViews(images, cropParameters(), { size, crop: { ...crop, interpolation: 'bicubic' } });
    expect(largestDifference(cropped, reference('bicubic'))).toBeLessThan(2e-6);
    expect(largestDifference(cropped, reference('cropped'))).toBeGreaterThan(0.02);
  });

  it('jitters colors in all 24 orders, and turns gray', () => {
    expect(new Set(views.map((view) => String(view.order))).size).toBe(24);
    const colored = applyViews(images, { ...cropParameters(), ...colorParameters() }, { size, crop });
    expect(largestDifference(colored, reference('colored'))).toBeLessThan(2e-5);
  });

  it('blurs with each view’s own sigma', () => {
    const parameters = {
      ...cropParameters(),
      ...colorParameters(),
      blurSigma: tf.tensor1d(views.map((view) => view.sigma)),
    };
    const blur = { probability: 0.5, sigma: [0.1, 2] as const, kernelSize: facts.kernelSize };
    expect(largestDifference(applyViews(images, parameters, { size, crop, blur }), reference('views'))).toBeLessThan(
      2e-5,
    );
  });

  it('takes the center and resizes it', () => {
    const centered = centerView(images, { crop: facts.centerCrop, size });
    expect(largestDifference(centered, reference('centered'))).toBeLessThan(2e-6);
  });
});
