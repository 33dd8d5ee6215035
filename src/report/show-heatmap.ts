import type { SlideHeatmap } from '../finetune/index.js';
import { percent } from './charts.js';
import { showFigure } from './figure.js';
import { sayInstead } from './say-instead.js';

export interface HeatmapOptions {
  /** The slide's name, for the words beside the picture. */
  slide: string;
  /** Also writes the image to this PNG file. */
  save?: string;
}

/**
 * Shows the probability of a class over a slide, which must still be open.
 *
 * @throws RangeError for a class that there is not
 */
export async function showHeatmap(
  heatmap: SlideHeatmap,
  className: string,
  { slide, save }: HeatmapOptions,
): Promise<void> {
  const { classes, rows, probabilities } = heatmap;
  if (rows.length === 0) return sayInstead(`No tile of ${slide} has enough tissue for a heatmap.`);
  const png = await heatmap.overview(className);
  const channel = classes.indexOf(className);
  const values = probabilities.filter((_, place) => place % classes.length === channel);
  const most = values.reduce((best, value, tile) => (value > values[best]! ? tile : best), 0);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const { x, y } = rows[most]!;
  await showFigure(png, {
    save,
    alt:
      `Probability of ${className} on ${slide}: ${rows.length} tiles, mean ${percent(mean)}, ` +
      `${values.filter((value) => value > 0.5).length} above 50 %, the highest (${percent(values[most]!)}) at (${x}, ${y}) px`,
  });
}
