import { canonicalJson, sha256 } from '../../runs/index.js';
import { type PatchGeometry, paperGeometry } from '../../slides/index.js';
import { requireDistinctNames, requireSafeName, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';

/** What is to be compiled. */
export interface SlideDataset {
  /** Names the folder. */
  name: string;
  title: string;
  licence: string;
  citation: string;
  /** Where the slides come from, in words. */
  origin: string;
  /** How the dataset is divided, in words. */
  splitRule: string;
  /** Faults of the source that are known, and what is done about each. */
  knownFaults?: readonly string[];
  /** Whether the list of slides is the source's own, checked against its hash. */
  resolved: boolean;
  slides: readonly DatasetSlide[];
}

/** What decides how patches are cut. */
export interface CutSettings {
  geometry: PatchGeometry;
  /** Share of a patch that must be tissue. */
  minimumTissue: number;
}

export const jpegQuality = 90;

export function cutSettings(options: Partial<CutSettings>): CutSettings {
  return { geometry: options.geometry ?? paperGeometry, minimumTissue: options.minimumTissue ?? 0.5 };
}

/** Names the folder of a dataset's shards by all that decides how they are cut. */
export function settingsHash(settings: CutSettings): string {
  return sha256(canonicalJson({ shardVersion, jpegQuality, ...settings })).slice(0, 12);
}

/** @throws RangeError for a dataset that cannot be compiled whatever its files hold */
export function checkDataset({ name, slides }: SlideDataset): void {
  requireSafeName(name, "the dataset's name");
  if (slides.length === 0) throw new RangeError(`the dataset ${name} has no slides`);
  for (const { id } of slides) requireSafeName(id, 'the slide id');
  requireDistinctNames(
    slides.map(({ id }) => id),
    'the slide',
  );
}
