import { z } from 'zod';
import {
  count,
  countOrNone,
  fileName,
  httpsUrl,
  isInnerPath,
  listOf,
  mapOf,
  matching,
  objectOf,
  oneOf,
  oneOfKinds,
  positive,
  sha256Digest,
  text,
  trueOrFalse,
  valueThat,
} from './schema.js';

const pattern = valueThat<string>(
  'a relative path without ".." that holds {id} once',
  (value) => typeof value === 'string' && value.split('{id}').length === 2 && isInnerPath(value),
);

const regularExpression = valueThat<string>('a regular expression with one group', (value) => {
  try {
    return typeof value === 'string' && new RegExp(`${value}|`).exec('')!.length === 2;
  } catch {
    return false;
  }
});

const share = valueThat<number>(
  'a share from 0 to below 1',
  (value) => typeof value === 'number' && value >= 0 && value < 1,
);

/** The Genomic Data Commons' API: a files endpoint for the list, a data endpoint for downloads. */
const gdcSource = objectOf({
  kind: z.literal('gdc'),
  endpoint: httpsUrl,
  /** The query, in the API's own filter language. */
  filters: objectOf({
    op: text,
    content: valueThat<unknown>("the GDC filter's content", (value) => value !== undefined),
  }),
});

/** A public bucket with the S3 listing protocol. Paths are under `prefix`; `{id}` stands for the slide's id. */
const bucketSource = objectOf({
  kind: z.literal('bucket'),
  endpoint: httpsUrl,
  prefix: matching('a path that ends with "/"', /^[\w.-]+(\/[\w.-]+)*\/$/),
  images: pattern,
  annotations: pattern.nullable(),
  masks: pattern.nullable(),
  /** Slides whose ids begin so must have polygons; without polygons they are excluded. */
  annotatedPrefix: fileName.nullable(),
  /** Sites of slides, by prefix of the id and range of numbers. Other slides have no site. */
  sites: listOf(
    objectOf({ site: text, ids: listOf(objectOf({ prefix: fileName, first: countOrNone, last: countOrNone })) }),
  ),
});

/** The PANDA challenge, from the user's download. */
const pandaSource = objectOf({
  kind: z.literal('panda'),
  folder: text.nullable(),
  /** Whose slides are used. */
  providers: listOf(oneOf('radboud', 'karolinska')),
  /** Images whose perceptual hashes (256 bits) differ in at most this many bits are one duplicate group. */
  duplicateDistance: countOrNone,
});

/** A folder with a folder of patches for each class. A relative path starts from the definition's folder. */
const folderSource = objectOf({
  kind: z.literal('folder'),
  folder: text,
  /** Regular expression with one group that finds the patient in a file's name; null if names have none. */
  patientPattern: regularExpression.nullable(),
});

/** The table's column for each part of a record; only `path` is required. */
const columns = objectOf({
  path: text,
  id: text.optional(),
  class: text.optional(),
  patient: text.optional(),
  site: text.optional(),
  mask: text.optional(),
  annotation: text.optional(),
  mpp: text.optional(),
  /** The split: train, validation (or val, valid) or test. */
  split: text.optional(),
});

const table = {
  table: text,
  /** The folder that the table's paths start from. */
  folder: text,
  columns,
};

/** A table (CSV, with a header) of patches that lie in a folder. */
const csvSource = objectOf({ kind: z.literal('csv'), ...table });

/** A table (CSV, with a header) of slides that lie in a folder. */
const slidesSource = objectOf({
  kind: z.literal('slides'),
  ...table,
  /** Which pixel size is used if a slide's file and the column `mpp` differ; the file's by default. */
  pixelSize: oneOf('file', 'table').optional(),
});

/** A class by its name in tables and pages, and the number that networks learn. */
const datasetClass = objectOf({ name: fileName, label: countOrNone });
const classes = listOf(datasetClass);

/** From the slide: the source's label, mapped to a class by `values`. */
const slideLabels = objectOf({
  from: z.literal('slide'),
  classes,
  /** The source's own label (any case) to a class's name. */
  values: mapOf(text),
  /** What happens to a slide whose label is not in the map: an error, or it is excluded. */
  unmapped: oneOf('error', 'exclude'),
});

/** From polygons: inside those of a group, the group's class; elsewhere `outside`. */
const annotationLabels = objectOf({
  from: z.literal('annotation'),
  classes,
  outside: text,
  /**
   * Annotation group to class. Later groups overwrite earlier ones; groups with integer names come first, in numeric
   * order, as in JavaScript.
   */
  groups: mapOf(text),
});

const classOrNone = valueThat<string | null>(
  "a class's name, or null for pixels that do not count",
  (value) => value === null || (typeof value === 'string' && value.length > 0),
);

/**
 * From a mask image: pixel values, mapped to classes by the site's map (`*`: any site). Pixels of a value that is mapped to
 * null do not count: no loss and no metric sees them.
 */
const maskLabels = objectOf({ from: z.literal('mask'), classes, values: mapOf(mapOf(classOrNone)) });

const geometry = objectOf({
  /** Side of a patch, um. */
  micrometers: positive,
  /** Side of a patch, px. */
  pixels: count,
  /** Drawn at random if a slide has more; null: all. */
  maxPatchesPerSlide: count.nullable(),
  /** Share of a patch that must be tissue. */
  minimumTissue: valueThat<number>(
    'a share from 0 to 1',
    (value) => typeof value === 'number' && value >= 0 && value <= 1,
  ),
});

const splitRule = objectOf({
  /** What is kept within one split. */
  by: oneOf('slide', 'patient', 'site'),
  validation: share,
  test: share,
  folds: count,
  /** Keeps the classes' proportions in each split. */
  stratified: trueOrFalse,
  /** Why its groups may not be patients; an audit does not call such a split clean. */
  warning: text.optional(),
});

/** The JSON form of a definition. What fields say about each other is checked by `definitionFaults`. */
export const definitionSchema = objectOf({
  format: z.literal(1, { error: '1' }),
  /** The file's own name, without `.json`. */
  name: matching('a name of a-z, 0-9 and - only', /^[a-z0-9-]+$/),
  title: text,
  /** Slides are cut into patches; patches are precut. */
  unit: oneOf('slides', 'patches'),
  synthetic: trueOrFalse,
  /** Who published it; without an address, a user's own data. */
  origin: objectOf({ name: text, url: httpsUrl.nullable() }),
  /** Where the files are. Addresses and folders can be overridden when a definition is resolved. */
  source: oneOfKinds('kind', [gdcSource, bucketSource, pandaSource, folderSource, csvSource, slidesSource]),
  /** Files below this size are excluded: thumbnails that a source lists among its slides. 0 keeps all. */
  minimumBytes: countOrNone,
  /** Excluded slides of the source, each with its reason. */
  exclusions: listOf(objectOf({ id: fileName, reason: text })),
  /** Where a patch's class comes from. */
  labels: oneOfKinds('from', [slideLabels, annotationLabels, maskLabels, objectOf({ from: z.literal('none') })]),
  /** How patches are cut; null where the unit is patches. */
  geometry: geometry.nullable(),
  split: splitRule,
  licence: objectOf({ name: text, url: httpsUrl.nullable() }),
  citation: text,
  /** Notes: errors of the source, and details that the paper does not give. */
  notes: listOf(text),
  /** Facts of the resolved list; null before. */
  expected: objectOf({ slides: count, patients: count, bytes: count }).nullable(),
  /** Hash of the resolved list (`LockFile.listSha256`); null until it was resolved against the real source. */
  resolvedSha256: sha256Digest.nullable(),
});

/**
 * A dataset definition: a file of `data-manifests/`, or the user's own. It names the source of slides (or precut
 * patches) and their processing; it is resolved into a `LockFile` with the exact files.
 */
export type DatasetDefinition = Readonly<z.infer<typeof definitionSchema>>;
export type DatasetOrigin = DatasetDefinition['source'];
export type GdcSource = z.infer<typeof gdcSource>;
export type BucketSource = z.infer<typeof bucketSource>;
export type PandaSource = z.infer<typeof pandaSource>;
export type FolderSource = z.infer<typeof folderSource>;
export type TableSource = z.infer<typeof csvSource> | z.infer<typeof slidesSource>;
export type DatasetClass = z.infer<typeof datasetClass>;
export type LabelRule = DatasetDefinition['labels'];
export type DatasetGeometry = z.infer<typeof geometry>;
export type SplitRule = z.infer<typeof splitRule>;

/** Name of a split. */
export type SplitName = 'train' | 'validation' | 'test';
