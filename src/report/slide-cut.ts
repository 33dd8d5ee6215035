import { interruptSignal } from '../base/index.js';
import {
  type CutOptions,
  cutSettings,
  type DatasetDefinition,
  type DatasetSlide,
  placePatches,
  type SlideDataset,
  type SlideFacts,
} from '../datasets/index.js';
import { openLabelImage, openSlide, readPolygons, type Slide, slideOverview } from '../slides/index.js';
import { showText } from './display.js';
import { showFigure } from './figure.js';
import { ignoredColor, maskColor } from './style.js';
import { formatValue, showTable } from './table.js';

/**
 * Shows what compiling cuts from a slide: the tissue's outline, the patches, the rejected places by reason, and the
 * polygons or the mask with the labels. It takes the dataset's last slide with its own labels.
 *
 * @param options as they are given to `compileDataset`; `save` also writes the image to a PNG file
 */
export async function showSlideCut(
  { definition, slides }: SlideDataset,
  { save, ...options }: CutOptions & { save?: string } = {},
): Promise<void> {
  if (definition.unit === 'patches') return showText('The patches of this dataset are precut.');
  const record = slides.findLast(({ annotation, mask }) => annotation ?? mask) ?? slides.at(-1);
  if (!record) throw new RangeError(`the dataset ${definition.name} has no slide`);
  const slide = await openSlide(record.path, { mpp: record.mpp, mppFrom: record.mppFrom });
  try {
    const { mask, index } = await placePatches(slide, record.id, cutSettings(definition, options), interruptSignal());
    const { polygons } = record.annotation ? await readPolygons(record.annotation) : { polygons: [] };
    const labels = await maskLabels(definition, record, slide);
    const png = await slideOverview(slide, mask, index, { polygons, labels }).finally(() => labels?.source.close());
    const parts = [
      `${index.x.length} patches of ${index.geometry.micrometers} um`,
      `${index.rejected.x.length} places rejected`,
      ...(polygons.length > 0 ? [`${polygons.length} annotated areas`] : []),
      ...(labels ? ['its mask'] : []),
    ];
    const name = `${record.id}${record.synthetic ? ' (synthetic)' : ''}`;
    await showFigure(png, { alt: `${name} with the outline of its tissue, ${parts.join(', ')}`, save });
    showText(
      'The yellow outline is the tissue mask. Blue frames are patches; ' +
        'other colors mark rejected places by reason.' +
        (polygons.length > 0 ? ' Red outlines are the annotated polygons and their holes.' : '') +
        (labels ? ' The tint is the mask, a color for each class.' : ''),
    );
  } finally {
    await slide.close();
  }
}

/** The mask's values with the names and colors of their classes, if labels come from masks. */
async function maskLabels({ labels: rule }: DatasetDefinition, record: DatasetSlide, slide: Slide) {
  if (rule.from !== 'mask' || !record.mask) return undefined;
  const values = (record.site !== null ? rule.values[record.site] : undefined) ?? rule.values['*'] ?? {};
  const classes = Object.entries(values).map(([value, name]) => {
    if (name === null) return { label: Number(value), name: `ignored (${value})`, color: ignoredColor };
    const number = rule.classes.find((one) => one.name === name)!.label;
    return { label: Number(value), name, color: maskColor(number) };
  });
  // The background stays untinted.
  return {
    source: await openLabelImage(record.mask, slide),
    classes: classes.filter(({ color }) => color !== maskColor(0)),
  };
}

/** Shows how a slide was read: size, pixel size, tissue, patches, rejected places and resampling. */
export async function showSlideFacts(facts: SlideFacts): Promise<void> {
  const { slide, synthetic, width, height, vendor, licence, origin, magnification, resampling } = facts;
  const { from, to, factor, direction } = resampling;
  const rejected = Object.entries(facts.rejected).filter(([, count]) => count > 0);
  await showTable(
    [
      { what: 'from', value: `${origin}, ${licence}` },
      { what: 'slide', value: `${width} x ${height} px, ${vendor}` },
      { what: 'pixel size', value: `${magnification.mpp} um/px, from ${magnification.source}` },
      { what: 'tissue', value: facts.tissueMethod },
      { what: 'patches', value: formatValue(facts.patches) },
      { what: 'places rejected', value: formatValue(Object.fromEntries(rejected)) || 'none' },
      {
        what: 'resampling',
        value:
          `${direction} x ${factor.toFixed(2)}: ${from.toFixed(3)} to ${to.toFixed(3)} um/px` +
          (direction === 'upsampled' ? '; the patches show no more detail than the scanner saw' : ''),
      },
    ],
    { columns: { what: `${slide}${synthetic ? ' (SYNTHETIC)' : ''}`, value: '' } },
  );
}
