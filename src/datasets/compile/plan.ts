import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readers } from '../../slides/index.js';
import type { DatasetDefinition } from '../definition.js';
import { shardFolder } from './compile-dataset.js';
import { type CutOptions, type CutSettings, type PrecutSettings, settingsOf } from './dataset.js';

/**
 * Cost of a patch, measured on the real sample slide (JPEG tiles at 0.499 um/px, quality 90), compiled twelve times
 * over on two cores of a cloud machine: 136 KB and 33 ms of one core for 512 px, including tissue mask and start.
 * Slides with coarser pyramids or other compression differ.
 */
const bytesPerPixel = 136_000 / 512 ** 2;
const secondsPerPixel = 0.033 / 512 ** 2;

/** Estimated cost of compiling, for the maximum number of patches; null if all patches of a slide are taken. */
export interface CompilePlan {
  folder: string;
  settings: CutSettings | PrecutSettings;
  /** 0 for precut patches. */
  slides: number;
  /** Slides with a shard; compiling checks whether it is up to date. */
  shardsThere: number;
  /** Of all slides. */
  patches: number | null;
  bytes: number | null;
  /** For the slides without a shard, independent of the number of workers. */
  hours: number | null;
  /** Reader processes, one core each, and their usual memory in total, bytes. */
  readers: { processes: number; memory: number };
}

/** Plans a call of `compileDataset` with the same options. No slide is opened. */
export function planCompile(
  { definition, slides }: { definition: DatasetDefinition; slides: readonly { id: string }[] },
  options: CutOptions & { data?: string } = {},
): CompilePlan {
  const settings = settingsOf(definition, options);
  const folder = shardFolder(definition, options, options.data);
  const reading = readers();
  if (!('limits' in settings)) {
    const all = slides.length;
    const bytes = settings.pixels === null ? null : all * settings.pixels ** 2 * bytesPerPixel;
    return { folder, settings, slides: 0, shardsThere: 0, patches: all, bytes, hours: null, readers: reading };
  }
  const shardsThere = slides.filter(({ id }) => existsSync(join(folder, `${id}.tar`))).length;
  const perSlide = settings.maxPatchesPerSlide;
  const pixels = settings.geometry.pixels ** 2;
  const of = (each: number) => (perSlide === null ? null : each);
  return {
    folder,
    settings,
    slides: slides.length,
    shardsThere,
    patches: of(slides.length * perSlide!),
    bytes: of(slides.length * perSlide! * pixels * bytesPerPixel),
    hours: of(((slides.length - shardsThere) * perSlide! * pixels * secondsPerPixel) / 3600 / reading.processes),
    readers: reading,
  };
}

/** A plan as lines of text. */
export function describePlan(plan: CompilePlan): string {
  if (!('limits' in plan.settings)) {
    const size = plan.settings.pixels === null ? 'as they are' : `${plan.settings.pixels} px`;
    return [
      `patches   ${plan.patches?.toLocaleString('en')}, precut (${size}); no slide is read`,
      `bytes     ${plan.bytes === null ? "about the files' size" : `about ${gibibytes(plan.bytes)}`}`,
      describeReaders(plan),
      `folder    ${plan.folder}`,
    ].join('\n');
  }
  const { micrometers, pixels } = plan.settings.geometry;
  const unknown = 'unknown before the slides are read, since all patches of a slide are taken';
  return [
    `slides    ${plan.slides}, of which ${plan.shardsThere} have a shard`,
    `patches   ${plan.patches === null ? unknown : `at most ${plan.patches.toLocaleString('en')}`}` +
      ` (${micrometers} um, ${pixels} px)`,
    `bytes     ${plan.bytes === null ? unknown : `about ${gibibytes(plan.bytes)}`}`,
    `hours     ${plan.hours === null ? unknown : `about ${plan.hours.toPrecision(2)} on ${plan.readers.processes} cores`}`,
    describeReaders(plan),
    `folder    ${plan.folder}`,
  ].join('\n');
}

function describeReaders({ readers: { processes, memory } }: CompilePlan): string {
  const cores = availableParallelism();
  const fewer = processes < cores ? ` of ${cores} (one per core): --reader-memory allows more` : '';
  return `readers   ${processes}${fewer}; together they use up to ${gibibytes(memory)}`;
}

function gibibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toPrecision(3)} MiB` : `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
}
