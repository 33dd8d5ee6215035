import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The real sample slide, where set-up put it or where shared data lies; undefined if neither is there. */
export const samplePath = [
  '../../data/openslide/CMU-1-Small-Region.svs',
  '../../../shared/data/slides/CMU-1-Small-Region.svs',
]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find(existsSync);
