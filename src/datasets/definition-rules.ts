import { checkGeometry } from '../slides/index.js';
import { type DatasetClass, type DatasetDefinition, definitionSchema, type LabelRule } from './definition.js';
import { ignoredValues } from './ignored-values.js';
import { duplicateFaults, faults } from './schema.js';

/** The errors in a definition, one short sentence each; empty if it is valid. */
export function definitionFaults(content: unknown): string[] {
  const found = faults(content, definitionSchema, "a dataset's definition");
  if (found.length > 0) return found;
  const definition = content as DatasetDefinition;
  const { source, labels, unit, geometry, exclusions } = definition;
  found.push(...geometryFaults(definition));
  if ((unit === 'slides') !== (geometry !== null)) {
    found.push(unit === 'slides' ? 'geometry is null, but slides must be cut' : 'geometry must be null for patches');
  }
  const ofPatches = source.kind === 'folder' || source.kind === 'csv';
  if (ofPatches !== (unit === 'patches')) found.push(`a source of the kind "${source.kind}" has no ${unit}`);
  if (ofPatches && labels.from === 'annotation') found.push('labels from polygons are for slides, not for patches');
  if (source.kind === 'folder' && labels.from === 'mask') found.push('a source of the kind "folder" has no masks');
  found.push(...splitFaults(definition), ...labelFaults(labels));
  found.push(
    ...duplicateFaults(
      exclusions.map(({ id }) => id),
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
    return [`split.validation + split.test leave no training data: ${validation} + ${test}`];
  }
  if (folds * (validation + test) <= 1) return [];
  return [`split: ${folds} folds cannot each hold out a different ${validation} + ${test} of the slides`];
}

/** Classes in the map that are not in the list, and duplicate classes. */
function labelFaults(labels: LabelRule): string[] {
  if (labels.from === 'none') return [];
  const { classes } = labels;
  const found = [
    ...duplicateFaults(
      classes.map(({ name }) => name),
      'labels.classes',
      'name',
    ),
    ...duplicateFaults(
      classes.map(({ label }) => label),
      'labels.classes',
      'label',
    ),
  ];
  const [most, besides] = ignoredValues(labels).length > 0 ? [255, ' beside pixels that do not count'] : [256, ''];
  if (labels.from !== 'slide' && classes.length > most) {
    found.push(`labels.classes: masks have at most ${most} classes${besides}`);
  }
  // Labels of a source are case-insensitive.
  const raw = labels.from === 'slide' ? Object.keys(labels.values).map((label) => label.toLowerCase()) : [];
  found.push(...duplicateFaults(raw, 'labels.values', 'label'));
  const known = new Set(classes.map(({ label }) => label));
  for (let label = 0; label < known.size; label++) {
    if (!known.has(label)) found.push(`labels.classes have no class with the label ${label}: labels count from 0`);
  }
  for (const [site, map] of labels.from === 'mask' ? Object.entries(labels.values) : []) {
    for (const value of Object.keys(map)) {
      if (/^(0|[1-9]\d{0,2})$/.test(value) && Number(value) < 256) continue;
      found.push(`labels.values["${site}"]["${value}"] is not a value of a mask's pixel, a whole number from 0 to 255`);
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
        Object.entries(map).flatMap(([value, name]): [string, string][] =>
          name === null ? [] : [[`values["${site}"]["${value}"]`, name]],
        ),
      );
  }
}

function listed(classes: readonly DatasetClass[]): string {
  return classes.map(({ name }) => name).join(', ');
}
