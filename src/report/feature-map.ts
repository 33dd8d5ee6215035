import { interruptSignal, key } from '../base/index.js';
import type { CodedColumn } from '../datasets/index.js';
import { embeddingMap, type Features } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import { showChart, type VegaLiteSpec } from './chart.js';
import { embeddingChart } from './charts.js';
import { sayInstead } from './say-instead.js';
import { patchCaption } from './show-patches.js';
import { palette } from './style.js';

/** The least useful number of patches. */
const minPatches = 8;

/**
 * Shows patches on a map that places similar features close together (UMAP): by class and, beside it, the same by site. It
 * leaves out what is the same for all patches. Of many classes or sites, only the most frequent ones have their own color.
 *
 * @param features of the patches, in their order
 */
export async function showFeatureMap(
  features: Features,
  patches: Pick<BatchSource, 'dataset' | 'rows' | 'labels' | 'count'>,
  options: { seed: number; save?: string },
): Promise<void> {
  const { dataset, rows, labels, count } = patches;
  if (count < minPatches) return sayInstead(`${count} held-out patches are too few for a map.`);
  const signal = interruptSignal();
  const neighbors = Math.min(15, count - 1);
  const places = await embeddingMap(features, key(options.seed).fold('map'), { minDistance: 0.4, neighbors, signal });
  const sites = { codes: rows.map((row) => dataset.sites.codes[row]!), names: dataset.sites.names };
  const all = {
    class: kinds({ codes: labels, names: dataset.classNames }, { none: 'no class', others: 'other classes' }),
    site: kinds(sites, { none: 'site not known', others: 'other sites' }),
  };
  const several = Object.entries(all).filter(([, kindOf]) => new Set(kindOf).size > 1);
  const shown: [string, string[]][] = several.length > 0 ? several : [['class', all.class]];
  const charts = shown.map(([by, kindOf]) =>
    embeddingChart(
      Array.from(rows, (row, place) => ({
        x: places[2 * place]!,
        y: places[2 * place + 1]!,
        kind: kindOf[place]!,
        slide: dataset.slides.names[dataset.slides.codes[row]!] ?? patchCaption(dataset, row).caption,
      })),
      { title: `By ${by}`, beside: shown.length > 1 },
    ),
  );
  const spec: VegaLiteSpec = {
    title: { text: `${count} held-out patches`, subtitle: 'UMAP of the pretrained features' },
    spacing: 24,
    resolve: { scale: { color: 'independent', shape: 'independent' } },
    hconcat: charts.map(({ spec }) => spec),
  };
  const alt = [`${count} held-out patches`, ...charts.map((chart) => chart.alt)].join('; ');
  await showChart(spec, { alt, save: options.save });
}

/** A name for each code: its own, if it is among the most frequent, for which there is a color. */
function kinds({ codes, names }: CodedColumn, words: { none: string; others: string }): string[] {
  const counts = names.map((name, code) => ({
    ...{ name, code },
    patches: codes.filter((other) => other === code).length,
  }));
  const present = counts.filter(({ patches }) => patches > 0).sort((one, other) => other.patches - one.patches);
  const colors = palette.length - (codes.some((code) => code < 0) ? 1 : 0);
  const own = present.slice(0, present.length > colors ? colors - 1 : undefined);
  const named = new Map(own.map(({ code, name }) => [code, name]));
  return Array.from(codes, (code) => named.get(code) ?? (code < 0 ? words.none : words.others));
}
