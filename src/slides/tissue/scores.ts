/** Why a place gives no patch: too little tissue, too much pen, too much black, or out of focus. */
export type RejectionReason = 'tissue' | 'pen' | 'black' | 'blur';

export const rejectionReasons: readonly RejectionReason[] = ['tissue', 'pen', 'black', 'blur'];

/** What was measured at each place, one value a place. Shares are of the patch's area, 0 to 1. */
export interface PatchScores {
  /** Share in the tissue mask. */
  tissue: Float32Array;
  /** Share of bare glass: neither tissue-colored, nor pen, nor black. */
  background: Float32Array;
  /** Share under pen marks. */
  pen: Float32Array;
  /** Share that is black: the slide's edge, a scanner's fill. */
  black: Float32Array;
  /** Variance of the Laplacian of brightness (0 to 255) at the focus map's pixel size; NaN where no focus map was given. */
  sharpness: Float32Array;
}

/** What a place must score to give a patch. */
export interface PatchLimits {
  /** Share of the patch that must be tissue, 0 to 1. */
  minimumTissue: number;
  /** Share of the patch that may lie under pen marks, 0 to 1. */
  maximumPen: number;
  /** Share of the patch that may be black, 0 to 1. */
  maximumBlack: number;
  /** Least variance of the Laplacian; needs a focus map when above 0. */
  minimumSharpness: number;
}

export const defaultLimits: PatchLimits = {
  minimumTissue: 0.5,
  maximumPen: 0.1,
  maximumBlack: 0.1,
  minimumSharpness: 0,
};
