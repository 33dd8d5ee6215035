import { writeFileAtomic } from '../runs/index.js';
import { type DisplayMetadata, type MimeBundle, newLiveDisplay, showBundle } from './display.js';
import { drawSvg, type Figure, figureBundle } from './figure.js';
import { chartConfig } from './style.js';

/** A Vega-Lite specification; its inline `data.values` travel with it. */
export type VegaLiteSpec = Record<string, unknown>;

export interface ChartOptions {
  /** What the chart shows, in words, with its main numbers; for readers who cannot see it. */
  alt: string;
  /** Also writes the picture to this PNG file. */
  save?: string;
}

/** JupyterLab 4 draws Vega-Lite 5, not 6; the specifications used here mean the same in both. */
const schema = 'https://vega.github.io/schema/vega-lite/v5.json';
const mimeType = 'application/vnd.vegalite.v5+json';

/** Draws a Vega-Lite specification as a picture. */
export async function drawChart(spec: VegaLiteSpec): Promise<Figure> {
  // vega has a top-level await, so code that a notebook cell imports must not import it statically.
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  measureTextOf(vega);
  // vega writes into the rows that it is given.
  const { $schema: _, ...styled } = structuredClone(withHouseStyle(spec));
  const compiled = vegaLite.compile(styled as unknown as Parameters<typeof vegaLite.compile>[0]);
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await drawSvg(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** Without a canvas vega takes every letter for 0.8 em, which leaves wide gaps; our font's mean is 0.5 em. */
function measureTextOf(vega: object): void {
  const { textMetrics } = vega as { textMetrics: { width: unknown } };
  textMetrics.width = (item: { fontSize?: number; text?: unknown }, text: unknown = item.text) =>
    0.5 * String(text ?? '').length * (item.fontSize ?? 11);
}

/** Shows a chart: live where the front end draws Vega-Lite, a picture elsewhere, in words where neither works. */
export async function showChart(spec: VegaLiteSpec, options: ChartOptions): Promise<void> {
  showBundle(...(await chartOutput(spec, options)));
}

/** A chart as an output. */
export async function chartOutput(spec: VegaLiteSpec, options: ChartOptions): Promise<[MimeBundle, DisplayMetadata]> {
  const figure = await drawChart(spec);
  if (options.save) await writeFileAtomic(options.save, figure.png);
  const [bundle, metadata] = figureBundle(figure, options.alt);
  return [{ ...bundle, [mimeType]: withHouseStyle(spec) }, metadata];
}

function withHouseStyle(spec: VegaLiteSpec): VegaLiteSpec {
  return { ...spec, $schema: schema, config: chartConfig };
}

/** A chart that is drawn anew, in one output, while a job goes on. */
export interface LiveChart<Row> {
  /** Takes one more row; draws when the last drawing is old enough, so that the job is not held up. */
  add(row: Row): Promise<void>;
  /**
   * Draws the last state, which the notebook file keeps.
   *
   * @param all takes the place of the rows that were added, for a job that was resumed and knows of earlier ones
   */
  finish(all?: readonly Row[]): Promise<void>;
}

/**
 * @param describe the chart of the rows so far, and what it shows in words
 * @param everySeconds the least time between two drawings
 */
export function liveChart<Row>(
  describe: (rows: readonly Row[]) => { spec: VegaLiteSpec } & ChartOptions,
  everySeconds = 2,
): LiveChart<Row> {
  const output = newLiveDisplay();
  let rows: Row[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = async () => {
    const { spec, ...options } = describe(rows);
    output.update(...(await chartOutput(spec, options)));
    drawnAt = performance.now();
  };
  return {
    async add(row) {
      rows.push(row);
      if (performance.now() - drawnAt >= everySeconds * 1000) await draw();
    },
    async finish(all = rows) {
      rows = [...all];
      if (rows.length > 0) await draw();
    },
  };
}
