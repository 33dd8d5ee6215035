import { interruptSignal, key } from '../base/index.js';
import { type Encoder, embeddingMap, extractFeatures } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import { showChart } from './chart.js';
import { embeddingChart } from './charts.js';
import { display, html } from './show.js';
import { patchCaption } from './show-patches.js';

/** Classes with their own color and mark. */
const maxClasses = 7;

/** The least useful number of patches. */
const minPatches = 8;

/**
 * Shows patches on a map that places similar features close together (UMAP), by class. With many classes, only the most
 * frequent ones have their own color.
 */
export async function showFeatureMap(
  encoder: Encoder,
  patches: BatchSource,
  options: { seed: number; save?: string },
): Promise<void> {
  if (patches.count < minPatches) {
    await display(html(`<p>${patches.count} held-out patches are too few for a map.</p>`));
    return;
  }
  const signal = interruptSignal();
  const features = await extractFeatures(encoder, patches, { signal });
  const neighbors = Math.min(15, patches.count - 1);
  const places = await embeddingMap(features, key(options.seed).fold('map'), { minDistance: 0.4, neighbors, signal });
  const kindOf = kinds(patches);
  const { dataset, rows } = patches;
  const chart = embeddingChart(
    Array.from(rows, (row, place) => ({
      x: places[2 * place]!,
      y: places[2 * place + 1]!,
      kind: kindOf(place),
      slide: dataset.slides.names[dataset.slides.codes[row]!] ?? patchCaption(dataset, row).caption!,
    })),
    { title: `${patches.count} held-out patches`, subtitle: 'UMAP of the pretrained features' },
  );
  await showChart(chart.spec, { alt: chart.alt, save: options.save });
}

/** A patch's kind on the map: its class, if that is among the most frequent. */
function kinds({ dataset, labels }: BatchSource): (place: number) => string {
  const counts = dataset.classNames.map((name, label) => ({
    label,
    name,
    patches: labels.filter((other) => other === label).length,
  }));
  const shown = counts.filter(({ patches }) => patches > 0).sort((one, other) => other.patches - one.patches);
  const names = new Map(
    shown.slice(0, shown.length > maxClasses + 1 ? maxClasses : undefined).map(({ label, name }) => [label, name]),
  );
  return (place) => names.get(labels[place]!) ?? (labels[place]! < 0 ? 'no class' : 'other classes');
}
