import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { from } from 'arquero';
import { inParallel } from '../../base/index.js';
import { openSlide, paperGeometry } from '../../slides/index.js';
import type { LabelRule } from '../definition.js';
import { quantity } from '../quantity.js';
import { classesOf } from './class-names.js';
import { define, type InferredDefinition } from './define.js';

/** Formats of slides only; a TIFF may be a slide, or an image that OpenSlide does not open. */
const isSlide = /^(?!\.).*\.(svs|ndpi|mrxs|scn|vms|vmu|svslide|bif)$/i;
const isTiff = /^(?!\.).*\.tiff?$/i;

/** Where common slide names contain the patient: TCGA's barcodes, and words such as patient_017. */
const patientInName = [/^(TCGA-\w{2}-\w{4})-/i, /^((?:patient|pat|case|subject|donor)[_-]?\d+)(?![\da-z])/i];

/**
 * Makes a definition of a folder of slides, or of one with a folder of slides for each class; undefined for a folder
 * without slides.
 *
 * @param folder its real path
 */
export async function definitionOfSlides(folder: string): Promise<InferredDefinition | undefined> {
  const there = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const names = there.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort();
  // A slide of MIRAX has a folder of its own name beside it.
  const stems = new Set(names.filter((name) => isSlide.test(name)).map((name) => name.slice(0, -extname(name).length)));
  const folders = there.flatMap((entry) => (entry.isDirectory() && !stems.has(entry.name) ? [entry.name] : [])).sort();
  const tiffs = folders.length === 0 ? names.filter((name) => isTiff.test(name)) : [];
  const opens = await inParallel(tiffs, (name) =>
    openSlide(join(folder, name)).then(
      (slide) => slide.close().then(() => true),
      () => false,
    ),
  );
  const slides = names.filter((name) => isSlide.test(name) || opens[tiffs.indexOf(name)]);
  if (slides.length > 0) return ofPaths(folder, slides, undefined);
  const inside = await Promise.all(folders.map((name) => readdir(join(folder, name))));
  const paths = folders.flatMap((name, at) =>
    inside[at]!.filter((file) => isSlide.test(file)).map((file) => `${name}/${file}`),
  );
  if (paths.length === 0) return undefined;
  return ofPaths(folder, paths.sort(), (path) => path.slice(0, path.indexOf('/')));
}

function ofPaths(
  folder: string,
  paths: readonly string[],
  classOf: ((path: string) => string) | undefined,
): InferredDefinition {
  const patientOf = (path: string) =>
    patientInName.map((pattern) => pattern.exec(basename(path))?.[1]).find(Boolean) ?? '';
  const patients = paths.map(patientOf);
  const hasPatients = patients.every((patient) => patient !== '');
  const words = classOf && [...new Set(paths.map(classOf))];
  const understood = [
    `${basename(folder)} has ${quantity(paths.length, 'slide')}${words ? ` in a folder for each class: ${words.join(', ')}` : ''}.`,
    hasPatients
      ? `Patients are read from names, such as ${patients[0]} from ${basename(paths[0]!)}.`
      : 'Their names do not give patients: slides of one patient may be in different splits.',
    `Patches are of ${paperGeometry.micrometers} um (${paperGeometry.pixels} px), at least half of each tissue.`,
  ];
  const labels: LabelRule = words
    ? { from: 'slide', ...onlyClasses(classesOf(words, folder)), unmapped: 'error' }
    : { from: 'none' };
  const columns = { path: 'path', ...(hasPatients && { patient: 'patient' }), ...(classOf && { class: 'class' }) };
  const definition = define(folder, basename(folder), {
    source: { kind: 'slides', table: '', folder, columns },
    labels,
    hasPatients,
    ...(!hasPatients && { warning: understood[1]! }),
    geometry: { ...paperGeometry, maxPatchesPerSlide: null, minimumTissue: 0.5 },
  });
  const rows = paths.map((path, at) => ({
    path,
    ...(hasPatients && { patient: patients[at]! }),
    ...(classOf && { class: classOf(path) }),
  }));
  return {
    definition: {
      ...definition,
      source: { ...definition.source, table: `${definition.name}.csv` } as typeof definition.source,
    },
    understood,
    groupColumn: undefined,
    table: `${from(rows).toCSV()}\n`,
  };
}

const onlyClasses = ({ classes, values }: ReturnType<typeof classesOf>) => ({ classes, values });
