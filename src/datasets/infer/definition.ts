import { existsSync, realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { from } from 'arquero';
import { inParallel } from '../../base/index.js';
import { PatchFault, precutMasks } from '../compile/precut-image.js';
import type { DatasetDefinition, LabelRule } from '../definition.js';
import { quantity } from '../quantity.js';
import { isImage } from '../resolve/folder.js';
import { checkLocalFile } from '../resolve/local-file.js';
import { readRows, splitNameOf } from '../resolve/table.js';
import { classesOf } from './class-names.js';
import { recognizeColumns } from './columns.js';
import { define, type InferredDefinition } from './define.js';
import { labelsOfValues } from './mask-values.js';
import { definitionOfSlides } from './slides.js';

/**
 * Makes a definition from a folder with a subfolder of images for each class, from one with a folder of images and one
 * of their masks, from a folder of slides, or from a table (CSV) of patches. A folder with `index.csv` is read as that
 * table. Licence, origin and citation are "not stated"; the definition's name ends with a hash of the path, so that
 * folders of the same name do not collide.
 *
 * @param path of the folder or table
 * @throws Error that names the file or folder, its contents and the solution
 */
export async function inferDefinition(
  path: string,
  options: { signal?: AbortSignal } = {},
): Promise<InferredDefinition> {
  if (/\.csv$/i.test(path)) return ofTable(join(realpathSync(dirname(path)), basename(path)), options);
  const folder = realpathSync(path);
  const index = join(folder, 'index.csv');
  if (!existsSync(index)) return ofFolders(folder, options);
  const { understood, ...others } = await ofTable(index, options);
  return {
    ...others,
    understood: [`${basename(folder)} holds index.csv, which is taken as its table.`, ...understood],
  };
}

async function ofTable(table: string, { signal }: { signal?: AbortSignal }): Promise<InferredDefinition> {
  const rows = await readRows(table);
  const cells = (column: string) => (rows.array(column) as string[]).map((cell) => cell.trim());
  const { columns, groupColumn, unused } = recognizeColumns(table, rows.columnNames(), cells);
  const folder = dirname(table);
  const { path, mask, class: label, patient, site, split } = columns;
  const words = Object.entries({ path, class: label, mask, patient: groupColumn ? undefined : patient, site, split });
  const roles = words.flatMap(([part, column]) => (column === undefined ? [] : [`"${column}" the ${part}`]));
  const without = unused.length > 0 ? `; ${unused.join(', ')} ${unused.length === 1 ? 'is' : 'are'} not used` : '';
  const understood = [
    `${basename(table)} is a table of ${quantity(rows.numRows(), 'patch', 'patches')}: ${roles.join(', ')}${without}.`,
  ];
  const labels = mask
    ? await labelsOfMasks(folder, cells(mask), { table, column: mask, understood, signal })
    : label
      ? labelsOfColumn(cells(label), `${table}: the column "${label}"`, understood)
      : ({ from: 'none' } as const);
  const stem = basename(table).replace(/\.csv$/i, '');
  const warning =
    groupColumn === undefined
      ? undefined
      : `No column names patients: "${groupColumn}" is used instead. Two of its values may be of one patient.`;
  const definition = define(table, stem === 'index' ? basename(folder) : stem, {
    source: { kind: 'csv', table, folder, columns },
    labels,
    hasPatients: patient !== undefined,
    warning,
  });
  return { definition, understood: warning === undefined ? understood : [...understood, warning], groupColumn };
}

function labelsOfColumn(cells: readonly string[], where: string, understood: string[]): LabelRule {
  const empty = cells.flatMap((cell, index) => (cell === '' ? [index + 1] : []));
  if (empty.length > 0) {
    throw new Error(
      `${where} is empty in ${empty.length} of ${cells.length} rows, first in row ${empty[0]}. Write a class there, or remove ` +
        'these rows or the column',
    );
  }
  return labelsOf(cells, where, understood);
}

function labelsOf(words: readonly string[], where: string, understood: string[]): LabelRule {
  const { classes, values, renamed } = classesOf(words, where);
  const shown = renamed.map((word) => `"${word}" is the class ${values[word]}`);
  if (shown.length > 0)
    understood.push(`Hyphens replace characters that class names cannot have: ${shown.join(', ')}.`);
  return { from: 'slide', classes, values, unmapped: 'error' };
}

/** See `labelsOfValues`. Masks that cannot be read fail when patches are compiled, each with its reason. */
async function labelsOfMasks(
  folder: string,
  cells: readonly string[],
  { table, column, understood, signal }: { table: string; column: string; understood: string[]; signal?: AbortSignal },
): Promise<LabelRule> {
  const paths = cells.filter((cell) => cell !== '');
  const isThere = await inParallel(paths, (path) =>
    checkLocalFile(folder, path, table).then(
      () => true,
      () => false,
    ),
  );
  const places = paths.filter((_, at) => isThere[at]).map((path) => join(folder, path));
  const seen = new Uint8Array(256);
  let fault: PatchFault | undefined;
  for await (const mask of precutMasks(places, signal)) {
    if (mask instanceof PatchFault) fault ??= mask;
    else for (const value of mask.values) seen[value] = 1;
  }
  const values = [...seen.keys()].filter((value) => seen[value] === 1);
  if (values.length === 0) {
    const why = fault?.message ?? (places.length === 0 ? 'there is no such file' : 'they are empty');
    throw new Error(`${table}: no mask of the column "${column}" can be read: ${why}`);
  }
  const { labels, understood: taken } = labelsOfValues(values);
  understood.push(...taken);
  return labels;
}

const maskFolder = /^(masks?|labels?|annotations?|segmentations?|gt)$/i;
const imageFolder = /^(images?|imgs?|patches|tiles|pictures)$/i;

async function ofFolders(folder: string, options: { signal?: AbortSignal }): Promise<InferredDefinition> {
  const slides = await definitionOfSlides(folder);
  if (slides) return slides;
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  const [masks, images] = [maskFolder, imageFolder].map((pattern) => names.find((name) => pattern.test(name)));
  if (names.length !== 2 || masks === undefined || images === undefined) return ofClassFolders(folder);
  return ofImagesWithMasks(folder, images, masks, options);
}

/** Images and their masks, which have the same names, or the image's name with a suffix for masks. */
async function ofImagesWithMasks(
  folder: string,
  images: string,
  masks: string,
  { signal }: { signal?: AbortSignal },
): Promise<InferredDefinition> {
  const stemsIn = async (part: string) => {
    const files = (await readdir(join(folder, part))).filter((name) => isImage.test(name)).sort();
    const stem = (name: string) =>
      name.replace(/\.[^.]*$/, '').replace(/[_-](masks?|labels?|gt|segmentation|seg)$/i, '');
    return new Map(files.map((name) => [stem(name), `${part}/${name}`]));
  };
  const [imagePaths, labels] = await Promise.all([stemsIn(images), stemsIn(masks)]);
  const alone = [...imagePaths].filter(([stem]) => !labels.has(stem)).map(([, path]) => path);
  const idle = [...labels].filter(([stem]) => !imagePaths.has(stem)).map(([, path]) => path);
  if (imagePaths.size === 0 || alone.length > 0 || idle.length > 0) {
    const some = [...alone.map((path) => `${path} has no mask`), ...idle.map((path) => `${path} has no image`)];
    throw new Error(
      `${folder}: the files of ${images}/ and ${masks}/ do not match by name: ` +
        `${some.slice(0, 3).join('; ') || 'there is no image'}. Name a table (.csv) with the columns image and mask`,
    );
  }
  const rows = [...imagePaths].map(([stem, path]) => [path, labels.get(stem)!]);
  const understood = [
    `${basename(folder)} has ${quantity(rows.length, 'image')} in ${images}/ and a mask for each in ${masks}/.`,
  ];
  const found = await labelsOfMasks(
    folder,
    rows.map(([, mask]) => mask!),
    { table: folder, column: masks, understood, signal },
  );
  const { name, ...others } = define(folder, basename(folder), {
    source: { kind: 'csv', table: '', folder, columns: { path: 'image', mask: 'mask' } },
    labels: found,
    hasPatients: false,
  });
  return {
    definition: { ...others, name, source: { ...others.source, table: `${name}.csv` } as DatasetDefinition['source'] },
    understood,
    groupColumn: undefined,
    table: `${from(rows.map(([image, mask]) => ({ image, mask }))).toCSV()}\n`,
  };
}

async function ofClassFolders(folder: string): Promise<InferredDefinition> {
  const there = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const names = there
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const table = 'a table of patches (.csv) with their paths, classes and patients';
  if (names.length === 0) {
    const images = there.filter(({ name }) => isImage.test(name)).length;
    const tables = there.flatMap(({ name }) => (/\.csv$/i.test(name) ? [name] : []));
    throw new Error(
      `${folder} has no subfolders for classes (it has ${images} images` +
        `${tables.length > 0 ? ` and ${tables.join(', ')}` : ''}). Put the images of each class into a folder of its own, or ` +
        `name ${table}`,
    );
  }
  const splits = names.filter((name) => splitNameOf(name) !== undefined);
  if (splits.length === names.length) {
    throw new Error(
      `${folder} is split into ${names.join(', ')}, which are not classes. Name ${table} and a column "split"`,
    );
  }
  const masks = names.find((name) => maskFolder.test(name));
  if (masks !== undefined) {
    throw new Error(
      `${folder} has a folder ${masks}, which is not a class. Name a table (.csv) with the columns image and mask`,
    );
  }
  for (const name of names) {
    const inside = (await readdir(join(folder, name))).filter((each) => !each.startsWith('.'));
    if (inside.some((each) => isImage.test(each))) continue;
    const some = inside.length === 0 ? 'nothing' : inside.slice(0, 3).join(', ');
    throw new Error(
      `${join(folder, name)} has no image (png, jpg, tif, webp), and its name would be a class: it has ${some}. Remove the ` +
        `folder, fill it, or name ${table}`,
    );
  }
  const understood = [`${basename(folder)} has a folder for each class: ${names.join(', ')}.`];
  const labels = labelsOf(names, folder, understood);
  const definition = define(folder, basename(folder), {
    source: { kind: 'folder', folder, patientPattern: null },
    labels,
    hasPatients: false,
  });
  return { definition, understood, groupColumn: undefined };
}
