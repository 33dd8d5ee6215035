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

/** Work on an open slide. Pixels and JPEG bytes come back in the slot's shared file, the rest in the answer. */
export type SlideRequest =
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

/** An image in a file, in part of one (a patch in its shard), or in the slot, where the asking process put it. */
export type ImageLocation = { path: string; part?: { offset: number; length: number } } | { inSlot: number };

/** What images are to become. */
export type ImageForm =
  /** What the header says, and nothing else. */
  | { as: 'facts'; limits: ImageLimits }
  /**
   * A square image as an RGB JPEG: its own bytes where it is one already, else one of that quality, without chroma
   * subsampling, transparent places white. One of another side is resized (Lanczos), or only its facts come back.
   */
  | { as: 'jpeg' | 'png'; side: number; resize: boolean; quality: number; limits: ImageLimits }
  /** The first channel's bytes: labels, or a palette's colors. With damage that the decoder only warns of, or without. */
  | { as: 'labels'; tolerant: boolean; limits: ImageLimits }
  /** RGB, transparent places white, of its own size or scaled to a side whatever its proportions. */
  | { as: 'rgb'; side?: number; limits: ImageLimits }
  /** Brightness, scaled to a side; `tissue` of a slide's smallest level, without the glass around it. */
  | { as: 'gray'; side: number; of: 'image' | 'tissue'; limits: ImageLimits };

/** What an image may claim in its header. */
export interface ImageLimits {
  /** Along a side, px. */
  side: number;
  /** In all, px. */
  pixels: number;
}

/** What is known of an image by its header. */
export interface ImageFacts {
  format: string;
  width: number;
  height: number;
  /** Images in the file. */
  pages: number;
  /** Of a value, as libvips names it: `uchar` is a byte. */
  depth: string;
  /** Of the bytes that were decoded; not of a file's that is read by parts. */
  sha256?: string;
  /** Whether a JPEG or PNG is the file's own bytes. */
  copied?: boolean;
}

/**
 * Of one image: what it is, with as many bytes in the slot; what is wrong with it, to be read after its name; or why its
 * file cannot be read.
 */
export type ImageAnswer =
  | { facts: ImageFacts; bytes: number }
  | { fault: string }
  | { unreadable: { code: string; message: string } };

/** The answer may be of the first images only: then they were large, or took long. */
export interface ImagesRequest {
  do: 'images';
  places: ImageLocation[];
  form: ImageForm;
}

export type RequestMessage = { id: number; slot: number } & (
  | { slide: SlideFile; request: SlideRequest }
  | { slide?: undefined; request: ImagesRequest }
);

export type ResponseMessage = { id: number } & (
  | { error: string }
  | { facts?: SlideFacts; lengths?: number[]; images?: ImageAnswer[] }
);
