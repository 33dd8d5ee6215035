import { describe, expect, it } from 'vitest';
import {
  applyMaskViews,
  applyViews,
  drawViewParameters,
  segmentationViews,
  supervisedViews,
  type ViewRecipe,
} from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { compile, randomUniform, type Tensor, type Tensors, tf } from '../../src/engine/index.js';

const [batch, height, width] = [24, 41, 53];

/** Masks of random classes, and images that show each class as a gray of its own. */
function classesAndImages(): { masks: Tensor; images: Tensor } {
  const masks = randomUniform(key('classes'), [batch, height, width], 0, 256).floor().toInt();
  return { masks, images: tf.tile(masks.toFloat().div(255).expandDims(3), [1, 1, 1, 3]) };
}

/** Masks whose values are the row (or column) of each px, and images that show them. */
function ramps(axis: 'rows' | 'columns'): { masks: Tensor; images: Tensor } {
  const ramp =
    axis === 'rows' ? tf.range(0, height).reshape([1, height, 1]) : tf.range(0, width).reshape([1, 1, width]);
  const masks = tf.zeros([batch, height, width]).add(ramp).toInt();
  return { masks, images: tf.tile(masks.toFloat().div(255).expandDims(3), [1, 1, 1, 3]) };
}

const geometry = ({ size, crop, flips }: ViewRecipe): ViewRecipe => ({ size, crop, flips });
const draw = (recipe: ViewRecipe, seed: number) => drawViewParameters(recipe, batch, { height, width }, key(seed));
const grays = (views: Tensor) => views.slice([0, 0, 0, 0], [-1, -1, -1, 1]).squeeze([3]).mul(255);
const allFlips = [0, 1].flatMap((horizontal) => [0, 1].map((vertical) => ({ horizontal, vertical })));

describe('views of masks', () => {
  it('show what their images show, px by px, under every crop that is not resized and every flip', () => {
    for (const size of [1, 16, 41]) {
      for (const [seed, flips] of allFlips.entries()) {
        tf.tidy(() => {
          const { masks, images } = classesAndImages();
          const recipe: ViewRecipe = { size, flips };
          const drawn = draw(recipe, seed);
          const view = grays(applyViews(images, drawn, recipe)).round();
          const classes = applyMaskViews(masks, drawn, size);
          expect([classes.dtype, classes.shape]).toEqual(['int32', [batch, size, size]]);
          expect(classes.sub(view.toInt()).abs().max().dataSync()[0]).toBe(0);
        });
      }
    }
  });

  it.each(['rows', 'columns'] as const)(
    'lie under their images to half a px of the image where crops are resized (%s)',
    (axis) => {
      for (const size of [7, 30, 64]) {
        for (const [seed, flips] of allFlips.entries()) {
          tf.tidy(() => {
            const { masks, images } = ramps(axis);
            const recipe: ViewRecipe = { size, crop: { scale: [0.05, 1], ratio: [0.5, 2] }, flips };
            const drawn = draw(recipe, seed);
            // Bilinear views of a ramp are a ramp, but for the border of the crop, where the filter is cut off.
            const inner = (x: Tensor) => {
              const cut = Math.ceil(size / 8);
              return x.slice([0, cut, cut], [-1, size - 2 * cut, size - 2 * cut]);
            };
            const view = inner(grays(applyViews(images, drawn, recipe)));
            const apart = inner(applyMaskViews(masks, drawn, size))
              .toFloat()
              .sub(view);
            expect(apart.abs().max().dataSync()[0]).toBeLessThanOrEqual(0.501);
          });
        }
      }
    },
  );

  it('take the nearest px, and of two the later one, whatever the crop', () => {
    const mask = tf.tensor3d([[[0, 1, 2, 3, 4, 5, 6, 7]]], undefined, 'int32').tile([1, 8, 1]);
    const columns = (start: number, length: number, flipped: number, size: number) =>
      Array.from(
        applyMaskViews(
          mask,
          { cropRows: tf.tensor2d([[0, 8, 0]]), cropColumns: tf.tensor2d([[start, length, flipped]]) },
          size,
        )
          .slice([0, 0, 0], [1, 1, size])
          .dataSync(),
      );
    expect(columns(0, 8, 0, 4)).toEqual([1, 3, 5, 7]);
    expect(columns(0, 8, 1, 4)).toEqual([7, 5, 3, 1]);
    expect(columns(2, 3, 0, 6)).toEqual([2, 2, 3, 3, 4, 4]);
    expect(columns(1, 7, 0, 3)).toEqual([2, 4, 6]);
    expect(columns(5, 1, 1, 2)).toEqual([5, 5]);
  });

  it('hold no class that the mask has not', () => {
    tf.tidy(() => {
      const masks = randomUniform(key('two'), [batch, height, width]).greater(0.5).toInt().mul(tf.scalar(200, 'int32'));
      const recipe = geometry(supervisedViews(24));
      const found = new Set(applyMaskViews(masks, draw(recipe, 1), 24).dataSync());
      expect([...found].sort()).toEqual([0, 200]);
    });
  });

  it('are the same in a compiled step', async () => {
    const { masks } = classesAndImages();
    const drawn = draw(geometry(supervisedViews(24)), 3);
    const step = compile((masks: Tensor, drawn: Tensors) => applyMaskViews(masks, drawn, 24));
    const expected = applyMaskViews(masks, drawn, 24).dataSync();
    for (let run = 0; run < 2; run++) expect((await step(masks, drawn)).dataSync()).toEqual(expected);
    step.dispose();
  });

  it('refuse what are no masks of these views', () => {
    const recipe: ViewRecipe = { size: 8 };
    const drawn = draw(recipe, 1);
    expect(() => applyMaskViews(tf.zeros([batch, height, width]), drawn, 8)).toThrow(
      /masks are int32 \[batch, height, width\], one for each of 24 views; got float32 \[24,41,53\]/,
    );
    expect(() => applyMaskViews(tf.zeros([12, height, width], 'int32'), drawn, 8)).toThrow(/got int32 \[12,41,53\]/);
  });
});

describe('segmentationViews', () => {
  it("crop without resizing, flip, and jitter the image's colors as the paper's other views", () => {
    const recipe = segmentationViews(32);
    const { jitter, flips } = supervisedViews(32);
    expect(recipe).toEqual({ size: 32, jitter, flips });
    const { cropRows, cropColumns } = draw(recipe, 5);
    const [rows, columns] = [cropRows!.arraySync(), cropColumns!.arraySync()] as [number[][], number[][]];
    for (const [place, length] of [
      [rows, height],
      [columns, width],
    ] as const) {
      const starts = place.map(([start]) => start!);
      expect(place.map(([, side]) => side)).toEqual(Array(batch).fill(32));
      expect(Math.min(...starts)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...starts)).toBeLessThanOrEqual(length - 32);
      expect(new Set(starts).size).toBeGreaterThan(5);
    }
  });

  it('reach every place of an image, and the whole of one that is no larger', () => {
    const starts = (size: number, side: number) => {
      const drawn = drawViewParameters({ size }, 200, { height: side, width: side }, key(1));
      const [rows, columns] = [drawn.cropRows!, drawn.cropColumns!].map((crops) => crops.arraySync() as number[][]);
      return new Set([...rows!, ...columns!].map(([start]) => start));
    };
    expect([...starts(5, 8)].sort()).toEqual([0, 1, 2, 3]);
    expect([...starts(8, 8)]).toEqual([0]);
  });

  it('refuse images that are smaller than the crop', () => {
    expect(() => draw(segmentationViews(42), 1)).toThrow(
      'a crop of 42 px that is not resized does not fit into images of 41 x 53 px',
    );
  });
});
