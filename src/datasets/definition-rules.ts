import { checkGeometry } from '../slides/index.js';
import type { DatasetClass, DatasetDefinition, LabelRule } from './definition.js';
import {
  count,
  countOrNone,
  exactly,
  faults,
  fileName,
  isInnerPath,
  isObject,
  listOf,
  mapOf,
  matching,
  oneOf,
  optional,
  orNull,
  positive,
  type Rule,
  type Shape,
  sha256Digest,
  share,
  text,
  truth,
  twice,
  webAddress,
} from './shape.js';

const what = "a dataset's definition";

/** Where a folder of the user's lies is the user's to say; what is in it may not leave it. */
const folder: Rule = text;

const pattern: Rule = {
  is: 'a relative path without ".." that holds {id} once',
  holds: (value) => typeof value === 'string' && value.split('{id}').length === 2 && isInnerPath(value),
};

const idRange = shapeRule("objects {prefix, first, last}: the ids' beginning and the range of their numbers", {
  prefix: fileName,
  first: countOrNone,
  last: countOrNone,
});

const regularExpression: Rule = {
  is: 'a regular expression with one group',
  holds: (value) => {
    try {
      return typeof value === 'string' && new RegExp(`${value}|`).exec('')!.length === 2;
    } catch {
      return false;
    }
  },
};

const columns: Shape = {
  path: text,
  ...Object.fromEntries(
    ['id', 'class', 'patient', 'site', 'mask', 'annotation', 'mpp', 'side'].map((name) => [name, optional(text)]),
  ),
};

const sources: Record<string, Shape> = {
  gdc: {
    kind: text,
    endpoint: webAddress,
    filters: { op: text, content: { is: "the GDC filter's content", holds: (value) => value !== undefined } },
  },
  bucket: {
    kind: text,
    endpoint: webAddress,
    prefix: matching('a path that ends with "/"', /^[\w.-]+(\/[\w.-]+)*\/$/),
    images: pattern,
    annotations: orNull(pattern),
    masks: orNull(pattern),
    annotatedPrefix: orNull(fileName),
    sites: listOf(shapeRule('an object {site, ids}', { site: text, ids: listOf(idRange) })),
  },
  panda: {
    kind: text,
    folder: orNull(folder),
    providers: listOf(oneOf('radboud', 'karolinska')),
    duplicateDistance: countOrNone,
  },
  folder: { kind: text, folder, patientPattern: orNull(regularExpression) },
  csv: { kind: text, table: text, folder, columns },
  slides: { kind: text, table: text, folder, columns, pixelSize: optional(oneOf('file', 'table')) },
};

const classes = listOf(shapeRule('an object {name, label}', { name: fileName, label: countOrNone }));

const labelRules: Record<string, Shape> = {
  slide: { from: text, classes, values: mapOf(text), others: oneOf('refuse', 'exclude') },
  annotation: { from: text, classes, outside: text, groups: mapOf(text) },
  mask: { from: text, classes, values: mapOf(mapOf(text)) },
  none: { from: text },
};

const definition: Shape = {
  format: exactly(1),
  name: matching('a name of a-z, 0-9 and - only', /^[a-z0-9-]+$/),
  title: text,
  unit: oneOf('slides', 'patches'),
  synthetic: truth,
  origin: { name: text, url: orNull(webAddress) },
  source: kindOf('kind', sources),
  minimumBytes: countOrNone,
  exclusions: listOf(shapeRule('an object {id, reason}', { id: fileName, reason: text })),
  labels: kindOf('from', labelRules),
  geometry: { is: 'null or an object', holds: (value) => value === null || isObject(value) },
  split: {
    by: oneOf('slide', 'patient', 'site'),
    validation: share,
    test: share,
    folds: count,
    stratified: truth,
  },
  licence: { name: text, url: orNull(webAddress) },
  citation: text,
  notes: listOf(text),
  expected: { is: 'null or an object', holds: (value) => value === null || isObject(value) },
  resolvedSha256: orNull(sha256Digest),
};

const geometry: Shape = {
  micrometers: positive,
  pixels: count,
  maxPatchesPerSlide: orNull(count),
  minimumTissue: { is: 'a share from 0 to 1', holds: (value) => typeof value === 'number' && value >= 0 && value <= 1 },
};

/** What is wrong with a definition, one short sentence each; empty when nothing is. */
export function definitionFaults(content: unknown): string[] {
  const found = faults(content, definition, what);
  if (found.length > 0 || !isObject(content)) return found;
  const { source, labels, unit } = content as unknown as DatasetDefinition;
  found.push(...faults(source, sources[source.kind]!, `a source of the kind "${source.kind}"`, 'source.'));
  found.push(...faults(labels, labelRules[labels.from]!, `labels from "${labels.from}"`, 'labels.'));
  if (content.geometry !== null) found.push(...faults(content.geometry, geometry, what, 'geometry.'));
  if (content.expected !== null) {
    found.push(...faults(content.expected, { slides: count, patients: count, bytes: count }, what, 'expected.'));
  }
  if (found.length > 0) return found;
  found.push(...geometryFaults(content as unknown as DatasetDefinition));
  if ((unit === 'slides') !== (content.geometry !== null)) {
    found.push(unit === 'slides' ? 'geometry is null, but slides must be cut' : 'geometry must be null for patches');
  }
  const ofPatches = source.kind === 'folder' || source.kind === 'csv';
  if (ofPatches !== (unit === 'patches')) found.push(`a source of the kind "${source.kind}" does not give ${unit}`);
  if (ofPatches && labels.from === 'annotation') found.push('labels from polygons are for slides, not for patches');
  if (source.kind === 'folder' && labels.from === 'mask') found.push('a source of the kind "folder" has no masks');
  found.push(...splitFaults(content as unknown as DatasetDefinition), ...labelFaults(labels));
  found.push(
    ...twice(
      (content as unknown as DatasetDefinition).exclusions.map(({ id }) => id),
      'exclusions',
      'id',
    ),
  );
  return found;
}

function geometryFaults({ geometry }: DatasetDefinition): string[] {
  try {
    if (geometry) checkGeometry(geometry);
    return [];
  } catch (error) {
    return [`geometry: ${(error as Error).message}`];
  }
}

function splitFaults({ split: { validation, test, folds } }: DatasetDefinition): string[] {
  if (validation + test >= 1) {
    return [`split.validation + split.test leave nothing to train on: ${validation} + ${test}`];
  }
  if (folds * (validation + test) <= 1) return [];
  return [`split: ${folds} folds cannot each hold out another ${validation} + ${test} of the slides`];
}

/** Classes that the map names and the list does not have, and classes that are there twice. */
function labelFaults(labels: LabelRule): string[] {
  if (labels.from === 'none') return [];
  const { classes } = labels;
  const found = [
    ...twice(
      classes.map(({ name }) => name),
      'labels.classes',
      'name',
    ),
    ...twice(
      classes.map(({ label }) => label),
      'labels.classes',
      'label',
    ),
  ];
  if (labels.from !== 'slide' && classes.length > 256)
    found.push('labels.classes: pixels tell at most 256 classes apart');
  // A source's word counts whatever its case.
  const words = labels.from === 'slide' ? Object.keys(labels.values).map((word) => word.toLowerCase()) : [];
  found.push(...twice(words, 'labels.values', 'word'));
  const known = new Set(classes.map(({ label }) => label));
  for (let label = 0; label < known.size; label++) {
    if (!known.has(label)) found.push(`labels.classes have no class with the label ${label}: labels count from 0`);
  }
  for (const [site, map] of labels.from === 'mask' ? Object.entries(labels.values) : []) {
    for (const value of Object.keys(map)) {
      if (/^(0|[1-9]\d{0,2})$/.test(value) && Number(value) < 256) continue;
      found.push(`labels.values["${site}"]["${value}"] is no value of a mask's pixel, a whole number from 0 to 255`);
    }
  }
  for (const [place, name] of namedClasses(labels)) {
    if (!classes.some((known) => known.name === name)) {
      found.push(`labels.${place} names the class "${name}", which is not in labels.classes (${listed(classes)})`);
    }
  }
  return found;
}

function namedClasses(labels: Exclude<LabelRule, { from: 'none' }>): [place: string, name: string][] {
  switch (labels.from) {
    case 'slide':
      return Object.entries(labels.values).map(([value, name]) => [`values["${value}"]`, name]);
    case 'annotation':
      return [
        ['outside', labels.outside],
        ...Object.entries(labels.groups).map(([group, name]) => [`groups["${group}"]`, name] as [string, string]),
      ];
    case 'mask':
      return Object.entries(labels.values).flatMap(([site, map]) =>
        Object.entries(map).map(([value, name]) => [`values["${site}"]["${value}"]`, name] as [string, string]),
      );
  }
}

function listed(classes: readonly DatasetClass[]): string {
  return classes.map(({ name }) => name).join(', ');
}

/** An object whose own field says which of several shapes it has; the shape itself is checked afterwards. */
function kindOf(field: string, shapes: Record<string, Shape>): Rule {
  const kinds = Object.keys(shapes);
  return {
    is: `an object whose ${field} is ${kinds.join(', ')}`,
    holds: (value) => isObject(value) && kinds.includes(value[field] as string),
  };
}

function shapeRule(is: string, shape: Shape): Rule {
  return { is, holds: (value) => faults(value, shape, '').length === 0 };
}
