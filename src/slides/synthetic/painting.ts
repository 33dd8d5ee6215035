/** Values of `Painting.material`. */
export const material = { lumen: 0, stroma: 1, cytoplasm: 2, nucleus: 3 } as const;

/** Tissue before it is stained, row by row, `[height, width]`. */
export interface Painting {
  width: number;
  height: number;
  /** Size of a pixel, um. */
  umPerPixel: number;
  /** Amounts of stain, in hundredths of a unit (`concentrationUnit`). */
  hematoxylin: Uint8ClampedArray;
  eosin: Uint8ClampedArray;
  /** One of `material` at each pixel. */
  material: Uint8Array;
  /** The same before nuclei were placed. */
  ground: Uint8Array;
}

/** The share, 0 to 1, that a value stands for. */
export function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}
