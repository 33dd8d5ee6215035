import { UnfinishedFile } from '../../base/index.js';

/** A place, level-0 px. */
type Corner = readonly [x: number, y: number];

/**
 * A polygon as a feature of GeoJSON (RFC 7946, but in pixels), with its class where QuPath keeps it.
 *
 * @param rings the outline and then the holes; the first corner is repeated at the end, as the format asks
 * @param options.color that QuPath shows the class in, `#rrggbb`
 */
export function annotationFeature(
  rings: readonly (readonly Corner[])[],
  { name, color }: { name: string; color?: string },
): object {
  return {
    type: 'Feature',
    geometry: { type: 'Polygon', coordinates: rings.map((ring) => [...ring, ring[0]]) },
    properties: {
      objectType: 'annotation',
      classification: { name, ...(color && { color: channelsOf(color) }) },
    },
  };
}

/** Red, green and blue of `#rrggbb`, 0 to 255. */
export function channelsOf(color: string): [red: number, green: number, blue: number] {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Bytes of features that are written at a time. */
const chunkBytes = 2 ** 20;

/** Writes a FeatureCollection feature by feature, under a temporary name until `finish`. */
export class GeoJsonWriter {
  private text = '{"type":"FeatureCollection","features":[';
  features = 0;

  private constructor(private readonly file: UnfinishedFile) {}

  static async create(path: string): Promise<GeoJsonWriter> {
    return new GeoJsonWriter(await UnfinishedFile.create(path));
  }

  async add(feature: object): Promise<void> {
    this.text += `${this.features++ > 0 ? ',' : ''}\n${JSON.stringify(feature)}`;
    if (this.text.length >= chunkBytes) await this.flush();
  }

  async finish(): Promise<void> {
    this.text += '\n]}\n';
    await this.flush();
    await this.file.finish();
  }

  /** Leaves nothing behind. */
  abandon(): Promise<void> {
    return this.file.abandon();
  }

  private async flush(): Promise<void> {
    const bytes = Buffer.from(this.text);
    this.text = '';
    await this.file.append(bytes);
  }
}
