import type { TableSource } from '../definition.js';
import { splitNameList, splitNameOf } from '../resolve/table.js';

type Part = Exclude<keyof TableSource['columns'], 'id' | 'annotation' | 'mpp'>;

/** Common column names, without case, spaces, hyphens and underscores. */
const defaultNames: Readonly<Record<Part | 'group', readonly string[]>> = {
  path: [
    'path',
    'file',
    'filename',
    'filepath',
    'image',
    'imagepath',
    'imagefile',
    'imagename',
    'img',
    'imgpath',
    'patch',
  ],
  class: ['class', 'classname', 'label', 'target', 'diagnosis', 'category'],
  patient: ['patient', 'patientid', 'case', 'caseid', 'subject', 'subjectid', 'participant', 'participantid', 'donor'],
  group: [
    'group',
    'groupid',
    'slide',
    'slideid',
    'wsi',
    'wsiid',
    'tile',
    'tileid',
    'specimen',
    'block',
    'core',
    'region',
  ],
  site: ['site', 'siteid', 'center', 'centre', 'hospital', 'institution', 'institute'],
  mask: ['mask', 'maskpath', 'maskfile', 'maskname', 'segmentation'],
  split: ['split', 'side', 'set', 'subset', 'partition'],
};

/** What each part of a record is, for messages. */
const roles: Readonly<Record<Part | 'group', string>> = {
  path: "the patch's path",
  class: 'its class',
  patient: 'its patient',
  group: 'a group that replaces its patient',
  site: 'its site',
  mask: "its mask's path",
  split: 'its split',
};

/** How a table's columns are interpreted. */
export interface RecognizedColumns {
  columns: TableSource['columns'];
  /** The column that replaces patients, if no column names them. */
  groupColumn: string | undefined;
  unused: string[];
}

/**
 * Recognizes the columns of a patch table by their names.
 *
 * @param rows the table's cells; values are looked at only to tell a split from another set
 * @throws Error that names the table, its columns and what to do, where no column or more than one names the patches' paths,
 *   or more than one another part
 */
export function recognizeColumns(
  table: string,
  names: readonly string[],
  valuesOf: (column: string) => readonly string[],
): RecognizedColumns {
  const plain = (name: string) => name.toLowerCase().replace(/[\s_.-]+/g, '');
  const found: Partial<Record<Part | 'group', string>> = {};
  for (const part of Object.keys(defaultNames) as (Part | 'group')[]) {
    // With patients, no other group is needed.
    if (part === 'group' && found.patient !== undefined) continue;
    const candidates = names.filter((name) => defaultNames[part].includes(plain(name)));
    if (candidates.length > 1) {
      throw new Error(
        `${table} has ${candidates.length} columns that may be ${roles[part]}: ${candidates.join(', ')}. Rename or remove all ` +
          `but one, or ${ownDefinition}. Its columns are ${names.join(', ')}`,
      );
    }
    if (candidates.length === 1) found[part] = candidates[0]!;
  }
  const { group, path, split, ...others } = found;
  if (path === undefined) {
    throw new Error(
      `${table} has no column recognized as the patches' paths; its columns are ${names.join(', ')}. Name that ` +
        `column "path", or ${ownDefinition}`,
    );
  }
  const columns = {
    ...{ path, ...others },
    ...(group !== undefined && { patient: group }),
    ...(split !== undefined && isSplit(table, split, valuesOf(split)) && { split }),
  };
  // With masks, a patch does not have a single class.
  if (columns.mask !== undefined) delete columns.class;
  const used = new Set<string>(Object.values(columns));
  return { columns, groupColumn: group, unused: names.filter((name) => !used.has(name)) };
}

const ownDefinition = 'write a definition that names the columns ("Patches of your own" in environment.md)';

/**
 * Whether a column named like a split is one: a column `set` may be anything.
 *
 * @throws Error if some of its values are names of splits and others are not
 */
function isSplit(table: string, column: string, values: readonly string[]): boolean {
  const distinct = [...new Set(values)].filter((value) => value !== '');
  const others = distinct.filter((value) => splitNameOf(value) === undefined);
  if (others.length === 0 || others.length === distinct.length) return others.length === 0;
  throw new Error(
    `${table}: the column "${column}" has names of splits and other values: ${others.slice(0, 5).join(', ')}. Use ` +
      `${splitNameList}, or leave cells empty`,
  );
}
