/** RGB pixels, `[height, width, 3]`. */
export interface RgbImage {
  pixels: Uint8Array;
  width: number;
  height: number;
}
