import sharp from 'sharp';
import { type AuditedPictures, patientsWithDoubles } from '../datasets/index.js';
import { inParallel, type Key, throwIfInterrupted } from '../runs/index.js';
import { colorHistogramFeatures } from './color-histogram.js';
import type { Features } from './features.js';
import { clusterBootstrapInterval, type Interval } from './intervals.js';
import { knnClassify } from './knn.js';

/** How often a picture's colors alone tell something of it, by the pictures that are nearest in color. */
export interface ColorQuestion extends Interval {
  /** What is asked, and of whom the pictures are that may answer. */
  name: string;
  what: 'site' | 'class';
  /** No picture of the same patient, or of the same site, may answer. */
  answersFrom: 'other patients' | 'other sites';
  /** Share of right answers. */
  value: number;
  /** Share that naming the commonest would get right. */
  chance: number;
  pictures: number;
}

export interface SiteLeakageOptions {
  /** Of the division of patients, and of the intervals. */
  key: Key;
  /** Side that pictures are scaled to, px: small ones mix the colors of what lies close together. */
  side?: number;
  neighbors?: number;
  signal?: AbortSignal;
}

const questions = [
  { what: 'site', answersFrom: 'other patients' },
  { what: 'class', answersFrom: 'other patients' },
  { what: 'class', answersFrom: 'other sites' },
] as const;

/** Patients are asked in this many parts; each is answered by the others. */
const parts = 5;

/**
 * Measures how much the sites' stains and scanners give away. Each picture's site, and its class, are guessed by its
 * nearest neighbors among color histograms. Where classes come from few sites, who knows the site has half told the class:
 * then class is guessed better from other patients, of the same sites among them, than from other sites; the gap is what a
 * split by patient flatters. Patients that share pictures that look alike count as one.
 *
 * @returns nothing where a question cannot be asked: of one site, one class, or pictures that do not say theirs
 */
export async function siteLeakage(audited: AuditedPictures, options: SiteLeakageOptions): Promise<ColorQuestion[]> {
  const patients = patientsWithDoubles(audited);
  const known = [...audited.pictures.keys()].filter((place) => {
    const { site, class: name } = audited.pictures[place]!;
    return site !== null && name !== null && patients[place] !== null;
  });
  const of = (column: 'site' | 'class') => known.map((place) => audited.pictures[place]![column]!);
  const columns = { site: of('site'), class: of('class'), patient: known.map((place) => patients[place]!) };
  const asked = questions.filter(({ what }) => new Set(columns[what]).size > 1 && new Set(columns.site).size > 1);
  if (asked.length === 0 || new Set(columns.patient).size < parts) return [];
  const features = await colorsOf(audited, known, options);
  const answers: ColorQuestion[] = [];
  for (const question of asked) answers.push(await ask(question, features, columns, options));
  return answers;
}

type Columns = Record<'site' | 'class' | 'patient', readonly string[]>;

async function ask(
  { what, answersFrom }: (typeof questions)[number],
  features: Features,
  columns: Columns,
  { key, neighbors = 10 }: SiteLeakageOptions,
): Promise<ColorQuestion> {
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
      rowsOf(features, answering),
      pick(answering),
      rowsOf(features, asking),
      pick(asking),
      { classes: names.length, neighbors: Math.min(neighbors, answering.length) },
    );
    asking.forEach((row, place) => {
      correct[row] = found.correct[place]!;
    });
  }
  const counts = names.map((_, label) => labels.filter((other) => other === label).length);
  return {
    name: `${what}, from ${answersFrom}`,
    what,
    answersFrom,
    value: correct.filter(Boolean).length / correct.length,
    chance: Math.max(...counts) / labels.length,
    pictures: labels.length,
    ...clusterBootstrapInterval(correct, columns.patient, { clusters: 'patients', key: key.fold(what) }),
  };
}

async function colorsOf(
  audited: AuditedPictures,
  places: readonly number[],
  { side = 256, signal }: SiteLeakageOptions,
): Promise<Features> {
  const rows = await inParallel(places, async (place) => {
    throwIfInterrupted(signal, 'comparing colors');
    const images = await sharp(await audited.read(place))
      .flatten({ background: '#fff' })
      .toColourspace('srgb')
      .resize(side, side, { fit: 'fill' })
      .raw()
      .toBuffer();
    return colorHistogramFeatures({ images, count: 1, size: side }).values;
  });
  const width = rows[0]!.length;
  const values = new Float32Array(rows.length * width);
  for (const [row, cells] of rows.entries()) values.set(cells, row * width);
  return { values, count: rows.length, width };
}

function rowsOf({ values, width }: Features, rows: readonly number[]): Features {
  const picked = new Float32Array(rows.length * width);
  for (const [place, row] of rows.entries()) picked.set(values.subarray(row * width, (row + 1) * width), place * width);
  return { values: picked, count: rows.length, width };
}
