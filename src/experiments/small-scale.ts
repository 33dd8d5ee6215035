import { selfSupervisedViews, type ViewRecipe } from '../augment/index.js';
import type { SyntheticDatasetOptions } from '../datasets/index.js';
import type { PretrainRecipe } from './pretrain-recipe.js';

/** The scales at which a page takes seconds or minutes on two cores. */
export type SmallScale = 'smoke' | 'demo';

/**
 * Slides that pretraining notebooks share at the small scales: eight classes that differ in structure and not in color, of
 * many small slides from three sites. With all 20 classes, a few hundred patches would have too few of each.
 */
export const smallCohorts: Record<SmallScale, SyntheticDatasetOptions> = {
  smoke: { kind: 'ptcga200', classes: 4, patients: 3, sites: 3, columns: 2, rows: 2 },
  demo: { kind: 'ptcga200', classes: 8, patients: 6, sites: 3, columns: 4, rows: 3 },
};

/** The paper's self-supervised view, adapted to trainings of minutes; the crop is the same. */
export function smallScaled(view: ViewRecipe): ViewRecipe {
  const saturation = 0.6 * view.jitter!.saturation;
  return {
    ...view,
    // Six tenths of the paper's strength, which in trials of this length left less time for structure.
    jitter: { probability: 0.8, brightness: 0.24, contrast: 0.24, saturation, hue: 0.06 },
    // More often gray than the paper's .2, so that the stain is less of a shortcut.
    grayscale: 0.5,
    // A pixel is 3.1 um and not .39: the paper's blur of up to 2 px would wipe out the nuclei.
    blur: { ...view.blur!, sigma: [0.1, 0.8], kernelSize: 5 },
  };
}

/** With the paper's .8, all pairs among a few hundred patches are soon matched, and less is learned. */
export const smallCrop: ViewRecipe['crop'] = { scale: [0.3, 1], ratio: [3 / 4, 4 / 3] };

/** Views of 64 px, for self-supervised trainings of minutes. */
export const smallViews: ViewRecipe = { ...smallScaled(selfSupervisedViews(64)), crop: smallCrop };

/** Every step of a page, in seconds: the demo cut short. */
export function smokeScaled(demo: PretrainRecipe, settings: Partial<PretrainRecipe['settings']> = {}): PretrainRecipe {
  return { ...demo, settings: { ...demo.settings, steps: 32, ...settings }, batchSize: 8 };
}
