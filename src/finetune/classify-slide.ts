import type { Tensor } from '../engine/index.js';
import { checkClassNames } from '../evaluate/index.js';
import {
  heatmapOverview,
  type PatchGridOptions,
  type PatchIndex,
  patchGrid,
  type Slide,
  type TissueMask,
  tissueMask,
} from '../slides/index.js';
import { type PredictTilesOptions, predictTiles } from './predict-tiles.js';

export interface ClassifySlideOptions
  extends PredictTilesOptions,
    Pick<PatchGridOptions, 'geometry' | 'strideMicrometers' | 'minimumTissue'> {
  /** Of the probabilities, in their order. */
  classes: readonly string[];
  /** By default what `tissueMask` finds. */
  tissue?: TissueMask;
  onProgress?: (done: number, total: number) => void;
}

/** Class probabilities of a slide's tiles. */
export interface SlideHeatmap {
  classes: readonly string[];
  /** Where the tiles lie, level-0 px. */
  index: PatchIndex;
  /** `[tiles, classes]`, row by row. */
  probabilities: Float32Array;
  /** The same as a table: a row for each tile, with its corner in level-0 px, its share of tissue, and a column for each class. */
  rows: ({ x: number; y: number; tissue: number } & Record<string, number>)[];
  /** The probability of a class over the slide's thumbnail, a PNG with the scale; the slide must be open. */
  overview(className: string): Promise<Uint8Array>;
}

/**
 * Predicts a class for each tile of a grid over a slide, cut as `compileDataset` cuts patches: the whole tiles with enough
 * tissue.
 *
 * @param predict from images `[batch, pixels, pixels, 3]`, float32 0 to 1, to class probabilities `[batch, classes]`, as
 *   `predictedViews`. It is compiled
 * @throws InterruptedError when `signal` aborts; RangeError for another shape, or what are no probabilities
 */
export async function classifySlide(
  slide: Slide,
  predict: (images: Tensor) => Tensor,
  options: ClassifySlideOptions,
): Promise<SlideHeatmap> {
  const { classes, geometry, strideMicrometers, minimumTissue, onProgress } = options;
  checkClassNames(classes);
  const mask = options.tissue ?? (await tissueMask(slide));
  const index = patchGrid(slide, mask, { geometry, strideMicrometers, minimumTissue });
  const { micrometers, pixels: size } = index.geometry;
  const places = Array.from(index.x, (x, tile) => ({ x, y: index.y[tile]! }));
  const tiles = { places, size, mpp: micrometers / size, margin: false };
  const probabilities = new Float32Array(places.length * classes.length);
  for await (const { tile, probabilities: predicted } of predictTiles(
    slide,
    tiles,
    predict,
    [classes.length],
    options,
  )) {
    probabilities.set(predicted, tile * classes.length);
    onProgress?.(tile + 1, places.length);
  }
  const rows = places.map(({ x, y }, tile) => ({
    ...{ x, y, tissue: index.tissue[tile]! },
    ...Object.fromEntries(classes.map((name, place) => [name, probabilities[tile * classes.length + place]!])),
  }));
  return {
    ...{ classes, index, probabilities, rows },
    async overview(className) {
      const channel = classes.indexOf(className);
      if (channel < 0) throw new RangeError(`there is no class "${className}"; there are: ${classes.join(', ')}`);
      // A cell is as large as the step, around the tile's middle: cells of tiles that overlap do not.
      const side = index.stride;
      const corner = (at: number) => at + (index.side - side) / 2;
      return heatmapOverview(
        slide,
        {
          x: Array.from(index.x, corner),
          y: Array.from(index.y, corner),
          side,
          values: probabilities.filter((_, place) => place % classes.length === channel),
        },
        { name: className },
      );
    },
  };
}
