import type { Key } from '../../base/index.js';
import { syntheticGeneratorVersion } from '../../slides/index.js';
import type { DatasetDefinition, LabelRule } from '../definition.js';
import type { WrittenFiles } from './draw-pool.js';
import type { SyntheticDatasetSettings } from './options.js';
import type { PlannedSlide } from './plan.js';

/** The table of slides, beside the definition. */
export const tableName = 'slides.csv';

const columns = ['id', 'path', 'class', 'patient', 'site', 'mask', 'annotation', 'synthetic'] as const;

/** A line a slide; paths from the dataset's folder. */
export function slideTable({ labels }: DatasetDefinition, slides: readonly PlannedSlide[]): string {
  const lines = slides.map(({ id, class: name, patient, site, mask, annotation }) =>
    [
      id,
      `images/${id}.tif`,
      name === null ? '' : sourceWord(labels, name),
      patient,
      site,
      mask ? `masks/${id}_mask.tif` : '',
      annotation ? `annotations/${id}.xml` : '',
      'true',
    ].join(','),
  );
  return `${columns.join(',')}\n${lines.join('\n')}\n`;
}

/** What the real source calls a class: the first of its words for it. */
function sourceWord(labels: LabelRule, name: string): string {
  const words = labels.from === 'slide' ? Object.entries(labels.values) : [];
  const word = words.find(([, known]) => known === name)?.[0];
  if (word === undefined) throw new Error(`the definition has no raw label for the class "${name}"`);
  return word;
}

/** The real dataset's definition with the synthetic slides as its source. */
export function syntheticDefinition(
  real: DatasetDefinition,
  settings: SyntheticDatasetSettings,
  key: Key,
  { form, slides, written }: { form: string; slides: readonly PlannedSlide[]; written: readonly WrittenFiles[] },
): DatasetDefinition {
  const used: Partial<Record<(typeof columns)[number], boolean>> = {
    class: slides.some((slide) => slide.class !== null),
    mask: slides.some(({ mask }) => mask),
    annotation: slides.some(({ annotation }) => annotation),
  };
  const column = (name: 'class' | 'mask' | 'annotation') => (used[name] ? { [name]: name } : {});
  return {
    ...real,
    name: `synthetic-${real.name}`,
    title: `SYNTHETIC slides in the form of ${real.name}: drawn by a program, not from patients`,
    synthetic: true,
    origin: { name: `synthetic, drawn by pathlab in the form of ${real.origin.name}`, url: real.origin.url },
    source: {
      kind: 'slides',
      table: tableName,
      folder: '.',
      columns: {
        path: 'path',
        id: 'id',
        patient: 'patient',
        site: 'site',
        ...column('class'),
        ...column('mask'),
        ...column('annotation'),
      },
    },
    minimumBytes: 0,
    exclusions: [],
    licence: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    citation: `None: synthetic. The form is that of ${real.name}.`,
    notes: [
      `Drawn by pathlab, generator ${syntheticGeneratorVersion}, key ${key}: ${describeSettings(settings)}.`,
      form,
      'Classes differ in structure and not in color; sites differ in stain and scanner. No data is from patients.',
    ],
    expected: {
      slides: slides.length,
      patients: new Set(slides.map(({ patient }) => patient)).size,
      bytes: written.reduce((sum, { slide }) => sum + slide.bytes, 0),
    },
    resolvedSha256: null,
  };
}

/** Settings as `kind ptcga200, patients 3, classes (brain, lung), leaks (exact 1, near 2)`. */
function describeSettings(value: object): string {
  return Object.entries(value)
    .map(([name, part]) => {
      if (Array.isArray(part)) return `${name} (${part.join(', ')})`;
      return `${name} ${typeof part === 'object' && part !== null ? `(${describeSettings(part)})` : part}`;
    })
    .join(', ');
}
