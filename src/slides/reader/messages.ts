import type { Box } from './pixels.js';

/** A slide's file as the reader processes know it. Any of them opens it when it first needs it. */
export interface SlideFile {
  /** Names the open slide; another opening of the same file has another. */
  key: number;
  path: string;
  followLinks: boolean;
}

/** What is known of a slide once it is open. */
export interface SlideFacts {
  vendor: string;
  levels: { width: number; height: number; downsample: number; reader: 'jpeg' | 'openslide' }[];
  properties: Record<string, string>;
  associatedImages: Record<string, { width: number; height: number }>;
  background: [red: number, green: number, blue: number];
}

/** Work for a reader process. Pixels and JPEG bytes come back in the slot's shared file, the rest in the answer. */
export type Request =
  | { do: 'open' }
  | { do: 'close' }
  /** RGB of a rectangle in the level's pixels. */
  | { do: 'region'; level: number; x: number; y: number; width: number; height: number }
  /**
   * RGB or JPEG of boxes in the level's pixels, each resampled to one size, one after the other. With a margin, pixels
   * beside the box count where the kernel reaches them, so that neighboring boxes meet without a seam.
   */
  | { do: 'boxes'; level: number; boxes: Box[]; width: number; height: number; margin: boolean; jpegQuality?: number }
  | { do: 'associated'; name: string };

export interface Question {
  id: number;
  slot: number;
  slide: SlideFile;
  request: Request;
}

export type Answer = { id: number } & ({ error: string } | { facts?: SlideFacts; lengths?: number[] });
