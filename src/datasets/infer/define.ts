import { sha256 } from '../../base/index.js';
import type { DatasetDefinition } from '../definition.js';

/**
 * A definition of a user's own data, with unknown fields marked as such.
 *
 * @param title what the data are called; with a hash of the path it becomes the definition's name
 * @param parts.geometry of slides; patches are taken as they are
 */
export function define(
  path: string,
  title: string,
  {
    source,
    labels,
    hasPatients,
    warning,
    geometry = null,
  }: Pick<DatasetDefinition, 'source' | 'labels'> & {
    hasPatients: boolean;
    /** Why the groups of a split may not be patients. */
    warning?: string;
    geometry?: DatasetDefinition['geometry'];
  },
): DatasetDefinition {
  const unit = geometry ? 'slides' : 'patches';
  const plain = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  const unknown = { name: 'not stated', url: null };
  return {
    format: 1,
    name: `${plain || unit}-${sha256(path).slice(0, 8)}`,
    title: `${geometry ? 'Slides' : 'Patches'} of ${title}`,
    unit,
    synthetic: false,
    origin: unknown,
    source,
    minimumBytes: 0,
    exclusions: [],
    labels,
    geometry,
    split: {
      ...{ by: hasPatients ? 'patient' : 'slide', validation: 0.1, test: 0.2, folds: 1, stratified: false },
      ...(warning !== undefined && { warning }),
    },
    licence: unknown,
    citation: 'not stated',
    notes: warning === undefined ? [] : [warning],
    expected: null,
    resolvedSha256: null,
  };
}

/** An inferred definition. */
export interface InferredDefinition {
  definition: DatasetDefinition;
  /** What was taken for what, a sentence each. */
  understood: string[];
  /** The column that replaces patients, if the table does not name them. */
  groupColumn: string | undefined;
  /** The table that the definition names, if it has to be written beside it. */
  table?: string;
}
