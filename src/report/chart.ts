import type { TopLevelSpec } from 'vega-lite';
import { writeFileAtomic } from '../base/index.js';
import { type DisplayMetadata, type MimeBundle, showBundle } from './display.js';
import { drawSvg, type Figure, figureBundle } from './figure.js';
import { chartConfig } from './style.js';

/** A Vega-Lite specification; its inline `data.values` travel with it. */
export type VegaLiteSpec = TopLevelSpec;

/** One of a specification's layers. */
export type VegaLiteLayer = Extract<TopLevelSpec, { layer: unknown }>['layer'][number];

export interface ChartOptions {
  /** Alternative text with the main numbers. */
  alt: string;
  /** Also writes the image to this PNG file. */
  save?: string;
}

/** JupyterLab 4 draws Vega-Lite 5, not 6; the specifications used here mean the same in both. */
const schema = 'https://vega.github.io/schema/vega-lite/v5.json';
export const vegaLiteType = 'application/vnd.vegalite.v5+json';

/** Draws a Vega-Lite specification as an image. */
export async function drawChart(spec: VegaLiteSpec): Promise<Figure> {
  return drawSvg(await chartSvg(spec));
}

/** A Vega-Lite specification as SVG. */
export async function chartSvg(spec: VegaLiteSpec): Promise<string> {
  // vega has a top-level await, so code that a notebook cell imports must not import it statically.
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  measureTextOf(vega);
  // vega modifies its input rows.
  const { $schema: _, ...styled } = structuredClone(withHouseStyle(spec));
  const compiled = vegaLite.compile(styled as TopLevelSpec);
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Without a canvas vega estimates every letter as 0.8 em, which leaves wide gaps; our font's mean is 0.5 em. */
function measureTextOf(vega: object): void {
  const { textMetrics } = vega as { textMetrics: { width: unknown } };
  textMetrics.width = (item: { fontSize?: number; text?: unknown }, text: unknown = item.text) =>
    0.5 * String(text ?? '').length * (item.fontSize ?? 11);
}

/** Shows a chart: live if the front end draws Vega-Lite, else an image, else as text. */
export async function showChart(spec: VegaLiteSpec, options: ChartOptions): Promise<void> {
  showBundle(...(await chartOutput(spec, options)));
}

/** A chart as an output. */
export async function chartOutput(spec: VegaLiteSpec, options: ChartOptions): Promise<[MimeBundle, DisplayMetadata]> {
  const figure = await drawChart(spec);
  if (options.save) await writeFileAtomic(options.save, figure.png);
  const [bundle, metadata] = figureBundle(figure, options.alt);
  return [{ ...bundle, ...vegaLiteBundle(spec, options.alt) }, metadata];
}

/** A chart as an output without an image, which is cheap; the front end draws it. */
export function vegaLiteBundle(spec: VegaLiteSpec, alt: string): MimeBundle {
  return { 'text/plain': alt, [vegaLiteType]: withHouseStyle(spec) };
}

function withHouseStyle(spec: VegaLiteSpec): VegaLiteSpec {
  return { ...spec, $schema: schema, config: chartConfig };
}
