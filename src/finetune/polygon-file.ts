import {
  annotationFeature,
  GeoJsonWriter,
  type LabelArea,
  OutlineTracer,
  ringArea,
  simplifyRings,
} from '../slides/index.js';
import type { PredictedClass } from './classes.js';

export interface PolygonOptions {
  /** Names of classes that are not drawn, such as the background. */
  omit?: readonly string[];
  /** Smaller areas are left out, and smaller holes filled, um2; 0 by default. */
  minimumArea?: number;
  /**
   * How far an outline's corners may lie from the line that takes their place, um; by default 0: the outlines are the edges
   * of the label image's pixels. Above it, neighbors may overlap, or leave a gap, of twice as much.
   */
  tolerance?: number;
}

/** Writes the areas of labels, which come row by row, as polygons in level-0 px: one of each connected area. */
export class PolygonFile {
  private readonly tracer: OutlineTracer;

  private constructor(
    private readonly file: GeoJsonWriter,
    private readonly about: PolygonOptions & {
      slide: { width: number; height: number; mpp: number };
      /** Of the label image, px. */
      width: number;
      /** Size of its pixels, um. */
      mpp: number;
      classes: readonly PredictedClass[];
    },
  ) {
    const { width, classes, omit = [] } = about;
    this.tracer = new OutlineTracer(width, (label) => label < classes.length && !omit.includes(classes[label]!.name));
  }

  /** @throws RangeError for options that do not fit */
  static async create(path: string, about: PolygonFile['about']): Promise<PolygonFile> {
    const { classes, omit = [], minimumArea = 0, tolerance = 0 } = about;
    const unknown = omit.find((name) => !classes.some((one) => one.name === name));
    if (unknown !== undefined) {
      const known = classes.map(({ name }) => name).join(', ');
      throw new RangeError(`polygons cannot omit "${unknown}", which is none of the classes: ${known}`);
    }
    for (const [name, value] of Object.entries({ minimumArea, tolerance })) {
      if (!(value >= 0)) throw new RangeError(`${name} of polygons is 0 or more; got ${value}`);
    }
    return new PolygonFile(await GeoJsonWriter.create(path), about);
  }

  /** @param labels of the next rows, `[rows, width]` */
  async add(labels: Uint8Array): Promise<void> {
    const { width } = this.about;
    for (let at = 0; at < labels.length; at += width)
      await this.write(this.tracer.add(labels.subarray(at, at + width)));
  }

  /** After the last row. @returns how many polygons were written */
  async end(): Promise<number> {
    await this.write(this.tracer.finish());
    return this.file.features;
  }

  finish(): Promise<void> {
    return this.file.finish();
  }

  /** Leaves nothing behind. */
  abandon(): Promise<void> {
    return this.file.abandon();
  }

  private async write(areas: readonly LabelArea[]): Promise<void> {
    const { slide, mpp, classes, minimumArea = 0, tolerance = 0 } = this.about;
    const leastPixels = minimumArea / mpp ** 2;
    const place = (pixel: number, limit: number) => Math.min(limit, onGrid((pixel * mpp) / slide.mpp));
    for (const { label, rings } of areas) {
      const large = rings.filter((ring) => Math.abs(ringArea(ring)) >= leastPixels);
      // Without its outline there are no holes either: they are smaller.
      if (large.length === 0) continue;
      const simple = simplifyRings(large, tolerance / mpp).map((ring) =>
        Array.from({ length: ring.length / 2 }, (_, corner): [number, number] => [
          place(ring[2 * corner]!, slide.width),
          place(ring[2 * corner + 1]!, slide.height),
        ]),
      );
      await this.file.add(annotationFeature(simple, classes[label]!));
    }
  }
}

/** Annotation programs keep a hundredth of a pixel. */
function onGrid(value: number): number {
  return Math.round(100 * value) / 100;
}
