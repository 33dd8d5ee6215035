import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  canonicalJson,
  digestOfFile,
  InterruptedError,
  inParallel,
  type Key,
  projectRoot,
  sha256,
  sha256OfTree,
  writeFileAtomic,
} from '../../base/index.js';
import { type SectionFiles, syntheticGeneratorVersion } from '../../slides/index.js';
import type { DatasetDefinition } from '../definition.js';
import { checkDefinition, readDefinition } from '../read-definition.js';
import type { DatasetSlide } from '../slide-source.js';
import { DrawPool, type WrittenFiles } from './draw-pool.js';
import type { CohortKind, SyntheticDatasetOptions } from './options.js';
import { type PlannedSlide, type PlantedLeak, planCohort } from './plan.js';
import { planners } from './planners.js';
import { syntheticDatasetSettings } from './settings.js';
import { slideTable, syntheticDefinition, tableName } from './synthetic-definition.js';

/** A synthetic dataset on disk. */
export interface SyntheticDataset {
  folder: string;
  definition: DatasetDefinition;
  /** The definition's file, which names the table of slides beside it. */
  definitionPath: string;
  slides: readonly DatasetSlide[];
  /** What an audit must find; empty where nothing was planted. */
  leaks: readonly PlantedLeak[];
}

/**
 * Draws a synthetic dataset in the form of a real one: pyramidal TIFFs with their masks or polygons, a table of slides,
 * patients, sites and classes, and a definition that `pathlab compile` takes. Slides that an earlier call finished with
 * the same settings and key are kept.
 *
 * @param watch.folder where it goes; by default `data/synthetic/<kind>-<hash of all that decides it>`
 * @param watch.threads that draw; by default one a core, at most 4
 * @throws RangeError for options that make no dataset; InterruptedError when `signal` aborts: finished slides stay
 */
export async function syntheticDataset(
  options: SyntheticDatasetOptions,
  key: Key,
  watch: {
    folder?: string;
    threads?: number;
    onProgress?: (done: number, total: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<SyntheticDataset> {
  if (!Object.hasOwn(planners, options.kind)) {
    throw new RangeError(`kind is ${Object.keys(planners).join(', ')}; got ${JSON.stringify(options.kind)}`);
  }
  const real = readDefinition(options.kind);
  if (real.labels.from === 'none') throw new Error(`${options.kind} has no classes`);
  const settings = syntheticDatasetSettings(
    options,
    real.labels.classes.map(({ name }) => name),
  );
  const planner = planners[options.kind as CohortKind];
  const { slides: planned, leaks } = planCohort(planner, settings, key);
  const folder = watch.folder ?? join(projectRoot, 'data', 'synthetic', `${options.kind}-${codeHash(settings, key)}`);
  const written = await drawAll(folder, planned, watch);
  const slides = planned.map((slide, index) => datasetSlide(folder, slide, written[index]!));
  const definition = syntheticDefinition(real, settings, key, { form: planner.form, slides: planned, written });
  const definitionPath = join(folder, `${definition.name}.json`);
  await writeFileAtomic(join(folder, tableName), slideTable(real, planned));
  await writeFileAtomic(join(folder, 'leaks.json'), `${JSON.stringify(leaks, null, 2)}\n`);
  await writeFileAtomic(definitionPath, `${JSON.stringify(checkDefinition(definition, definitionPath), null, 2)}\n`);
  return { folder, definition, definitionPath, slides, leaks };
}

/** Draws what is not there yet, a slide a thread at a time. */
async function drawAll(
  folder: string,
  planned: readonly PlannedSlide[],
  watch: { threads?: number; onProgress?: (done: number, total: number) => void; signal?: AbortSignal },
): Promise<WrittenFiles[]> {
  const pool = new DrawPool(watch.threads);
  let done = 0;
  const drawInTurn = async (slide: PlannedSlide) => {
    if (watch.signal?.aborted) {
      throw new InterruptedError(
        `drawing synthetic slides was interrupted; ${done} of ${planned.length} are in ${folder}`,
      );
    }
    const written = (await finished(folder, slide)) ?? (await drawOne(folder, slide, pool));
    watch.onProgress?.(++done, planned.length);
    return written;
  };
  try {
    return await inParallel(planned, drawInTurn, pool.size);
  } finally {
    await pool.close();
  }
}

async function drawOne(folder: string, slide: PlannedSlide, pool: DrawPool): Promise<WrittenFiles> {
  const written = await pool.draw({ section: slide.section, files: filesOf(folder, slide) });
  // The record is written last: a slide with a record is whole.
  await writeFileAtomic(recordPath(folder, slide), `${JSON.stringify({ ...recordOf(slide), files: written })}\n`);
  return written;
}

/**
 * What was written of a slide that is there whole; undefined where it is not, or damaged.
 *
 * @throws Error when the slide there was made otherwise than is asked now
 */
async function finished(folder: string, slide: PlannedSlide): Promise<WrittenFiles | undefined> {
  const path = recordPath(folder, slide);
  if (!existsSync(path)) return undefined;
  const record = parseRecord(await readFile(path, 'utf8'));
  if (!record) return undefined;
  const { files, ...made } = record;
  if (canonicalJson(made) !== canonicalJson(recordOf(slide))) {
    throw new Error(
      `${path} has a dataset with another seed, other settings or another generator; choose another folder`,
    );
  }
  for (const [name, file] of Object.entries(filesOf(folder, slide))) {
    const wanted = files[name as keyof SectionFiles]?.sha256;
    if (!existsSync(file) || (await digestOfFile(file)) !== wanted) return undefined;
  }
  return files;
}

function parseRecord(text: string): (ReturnType<typeof recordOf> & { files: WrittenFiles }) | undefined {
  try {
    const record = JSON.parse(text);
    return record.synthetic === true && record.files ? record : undefined;
  } catch {
    return undefined;
  }
}

/** What a slide's record says of it, beside its files. */
function recordOf({ id, patient, site, class: name, section }: PlannedSlide) {
  return {
    synthetic: true,
    generatorVersion: syntheticGeneratorVersion,
    id,
    patient,
    site,
    class: name,
    section,
  };
}

function recordPath(folder: string, { id }: PlannedSlide): string {
  return join(folder, 'records', `${id}.json`);
}

function filesOf(folder: string, { id, mask, annotation }: PlannedSlide): SectionFiles {
  return {
    slide: join(folder, 'images', `${id}.tif`),
    ...(mask && { mask: join(folder, 'masks', `${id}_mask.tif`) }),
    ...(annotation && {
      annotation: join(folder, 'annotations', `${id}.xml`),
      geojson: join(folder, 'annotations', `${id}.geojson`),
    }),
  };
}

function datasetSlide(folder: string, slide: PlannedSlide, written: WrittenFiles): DatasetSlide {
  const files = filesOf(folder, slide);
  return {
    id: slide.id,
    path: files.slide,
    synthetic: true,
    licence: 'none needed: drawn by this program',
    origin: `synthetic, drawn by pathlab (generator ${syntheticGeneratorVersion})`,
    sha256: written.slide.sha256,
    patient: slide.patient,
    site: slide.site,
    class: slide.class,
    mask: files.mask ?? null,
    annotation: files.annotation ?? null,
  };
}

/** Names a dataset by all that decides its bytes, the drawing code among it. */
function codeHash(settings: object, key: Key): string {
  const code = ['slides/synthetic', 'datasets/cohort'].map((room) => sha256OfTree(join(projectRoot, 'src', room)));
  return sha256(canonicalJson({ settings, key: key.toString(), code })).slice(0, 12);
}
