import { inParallel, type Key, throwIfInterrupted } from '../base/index.js';
import { type AuditedImages, patientsWithDuplicates } from '../datasets/index.js';
import { imageLimits, readImageFile } from '../slides/index.js';
import { colorHistogramFeatures } from './color-histogram.js';
import { type Features, featureRows } from './features.js';
import { knnClassify } from './knn.js';
import { clusterBootstrapInterval, type Interval, pairedDifferenceInterval } from './statistics/intervals.js';

/** Accuracy of predicting a property of images from color, by nearest neighbors. */
export interface ColorQuestion extends Interval {
  /** The predicted property and the allowed neighbors. */
  name: string;
  what: 'site' | 'class';
  /** Images of the same patient, or of the same site, are not used as neighbors. */
  answersFrom: 'other patients' | 'other sites';
  /** Accuracy. */
  value: number;
  /** Chance level: accuracy of always predicting the most frequent value. */
  chance: number;
  images: number;
}

/** Gain in class accuracy from neighbors of the same site, on the same images. */
export interface ClassGap extends Interval {
  /** Accuracy with neighbors from other patients, minus that with neighbors from other sites. */
  value: number;
  fromOtherPatients: number;
  fromOtherSites: number;
  images: number;
}

export interface SiteLeakage {
  questions: readonly ColorQuestion[];
  gap: ClassGap;
}

export interface SiteLeakageOptions {
  /** For the folds of patients and the intervals. */
  key: Key;
  /** Size that images are scaled to, px: small sizes mix neighboring colors. */
  side?: number;
  neighbors?: number;
  signal?: AbortSignal;
}

type Question = Pick<ColorQuestion, 'what' | 'answersFrom'>;
const siteQuestion: Question = { what: 'site', answersFrom: 'other patients' };
const classQuestion: Question = { what: 'class', answersFrom: 'other patients' };
const classAcrossSites: Question = { what: 'class', answersFrom: 'other sites' };

/** Number of folds of patients; neighbors come from the other folds. */
const parts = 5;

/**
 * Measures leakage through the sites' stains and scanners. Each image's site and class are predicted by nearest
 * neighbors among color histograms. If classes come from few sites, the site helps to predict the class, and neighbors
 * from other patients (including the same site) predict it better than neighbors from other sites; the gap shows how
 * much a split by patient overestimates accuracy. Both are measured on every image, so the gap is paired and has its
 * own interval. If classes differ in color too, part of the gap comes from other sites having fewer patients of a
 * class. Patients that share images that look alike count as one.
 *
 * @returns null if it cannot be measured: one site, one class, few patients, or these are unknown
 */
export async function siteLeakage(audited: AuditedImages, options: SiteLeakageOptions): Promise<SiteLeakage | null> {
  const patients = patientsWithDuplicates(audited);
  const known = [...audited.images.keys()].filter((place) => {
    const { site, class: name } = audited.images[place]!;
    return site !== null && name !== null && patients[place] !== null;
  });
  const of = (column: 'site' | 'class') => known.map((place) => audited.images[place]![column]!);
  const columns = { site: of('site'), class: of('class'), patient: known.map((place) => patients[place]!) };
  const several = (column: 'site' | 'class') => new Set(columns[column]).size > 1;
  if (!several('site') || !several('class') || new Set(columns.patient).size < parts) return null;
  const features = await colorsOf(audited, known, options);
  const site = await answerQuestion(siteQuestion, features, columns, options);
  const near = await answerQuestion(classQuestion, features, columns, options);
  const far = await answerQuestion(classAcrossSites, features, columns, options);
  return {
    questions: [site.question, near.question, far.question],
    gap: {
      value: near.question.value - far.question.value,
      fromOtherPatients: near.question.value,
      fromOtherSites: far.question.value,
      images: known.length,
      ...pairedDifferenceInterval(far.correct, near.correct, columns.patient, {
        clusters: 'patients',
        key: options.key.fold('gap'),
      }),
    },
  };
}

type Columns = Record<'site' | 'class' | 'patient', readonly string[]>;

async function answerQuestion(
  { what, answersFrom }: Question,
  features: Features,
  columns: Columns,
  { key, neighbors = 10 }: SiteLeakageOptions,
): Promise<{ question: ColorQuestion; correct: readonly boolean[] }> {
  const names = [...new Set(columns[what])].sort();
  const labels = Int32Array.from(columns[what], (name) => names.indexOf(name));
  const apart = columns[answersFrom === 'other sites' ? 'site' : 'patient'];
  const groups = key
    .fold(answersFrom)
    .generator()
    .shuffle([...new Set(apart)].sort());
  const count = answersFrom === 'other sites' ? groups.length : parts;
  const partOf = new Map(groups.map((name, place) => [name, place % count]));
  const correct: boolean[] = new Array(labels.length);
  for (let part = 0; part < count; part++) {
    const rows = [...labels.keys()];
    const asking = rows.filter((row) => partOf.get(apart[row]!) === part);
    const answering = rows.filter((row) => partOf.get(apart[row]!) !== part);
    const pick = (chosen: readonly number[]) => Int32Array.from(chosen, (row) => labels[row]!);
    const found = await knnClassify(
      featureRows(features, answering),
      pick(answering),
      featureRows(features, asking),
      pick(asking),
      { classes: names.length, neighbors: Math.min(neighbors, answering.length) },
    );
    asking.forEach((row, place) => {
      correct[row] = found.correct[place]!;
    });
  }
  const counts = names.map((_, label) => labels.filter((other) => other === label).length);
  const question: ColorQuestion = {
    name: `${what}, from ${answersFrom}`,
    what,
    answersFrom,
    value: correct.filter(Boolean).length / correct.length,
    chance: Math.max(...counts) / labels.length,
    images: labels.length,
    ...clusterBootstrapInterval(correct, columns.patient, { clusters: 'patients', key: key.fold(what) }),
  };
  return { question, correct };
}

async function colorsOf(
  audited: AuditedImages,
  places: readonly number[],
  { side = 256, signal }: SiteLeakageOptions,
): Promise<Features> {
  const rows = await inParallel(places, async (place) => {
    throwIfInterrupted(signal, 'comparing colors');
    const form = { as: 'rgb', side, limits: imageLimits } as const;
    const { data: images } = await readImageFile(await audited.read(place), form, audited.images[place]!.id);
    return colorHistogramFeatures({ images, count: 1, size: side }).values;
  });
  const width = rows[0]!.length;
  const values = new Float32Array(rows.length * width);
  for (const [row, cells] of rows.entries()) values.set(cells, row * width);
  return { values, count: rows.length, width };
}
