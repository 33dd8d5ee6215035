import { UMAP } from 'umap-js';
import { InterruptedError, type Key } from '../base/index.js';
import type { Features } from './features.js';
import { nearestRows } from './nearest.js';

export interface EmbeddingMapOptions {
  /** Size of the preserved neighborhood, including the point itself. */
  neighbors?: number;
  /** Minimum distance of points on the map. */
  minDistance?: number;
  /** Epochs of the layout; by default umap-js's: 500 up to 2,500 points, 200 over 7,500. */
  epochs?: number;
  signal?: AbortSignal;
}

/**
 * The graph is built at once (under a second for 2,000 points); the layout then runs in slices of this many ms, between
 * which the event loop runs.
 */
const sliceMs = 40;

/**
 * A two-dimensional map of features: UMAP (McInnes et al., arXiv 1802.03426) by umap-js, over the exact nearest
 * neighbors by cosine distance. The same key gives the same map. Distances between distant groups, and sizes of groups,
 * have no meaning.
 *
 * @returns `[count, 2]`, row-major
 * @throws RangeError if there are not more points than neighbors; InterruptedError if the signal aborts
 */
export async function embeddingMap(
  features: Features,
  key: Key,
  { neighbors = 15, minDistance = 0.1, epochs, signal }: EmbeddingMapOptions = {},
): Promise<Float32Array> {
  if (features.count <= neighbors) {
    throw new RangeError(
      `an embedding map with neighborhoods of ${neighbors} needs more than ${neighbors} points; got ${features.count}` +
        ' (give more patches, or fewer neighbors)',
    );
  }
  const generator = key.fold('umap').generator();
  const umap = new UMAP({
    nNeighbors: neighbors,
    minDist: minDistance,
    nEpochs: epochs,
    random: () => generator.uniform(),
  });
  const { rows, distances } = await neighborhoods(features, neighbors);
  umap.setPrecomputedKNN(rows, distances);
  // With neighbors given, umap-js uses only the number of points.
  const total = umap.initializeFit(rows);
  let sliceEnds = performance.now() + sliceMs;
  for (let epoch = 0; epoch < total; epoch++) {
    umap.step();
    if (performance.now() < sliceEnds) continue;
    await new Promise(setImmediate);
    if (signal?.aborted)
      throw new InterruptedError(`the embedding map was interrupted at ${epoch + 1} of ${total} epochs`);
    sliceEnds = performance.now() + sliceMs;
  }
  return Float32Array.from(umap.getEmbedding().flat());
}

/** Each point's neighbors and their cosine distances, itself first with distance 0, as UMAP counts them. */
async function neighborhoods(
  features: Features,
  neighbors: number,
): Promise<{ rows: number[][]; distances: number[][] }> {
  const rows: number[][] = [];
  const distances: number[][] = [];
  for await (const { start, nearest } of nearestRows(features, features, neighbors)) {
    nearest.forEach((found, index) => {
      const point = start + index;
      const others = Array.from(found.rows, (row, rank) => ({ row, distance: 1 - found.similarities[rank]! }))
        .filter(({ row }) => row !== point)
        .slice(0, neighbors - 1);
      rows.push([point, ...others.map(({ row }) => row)]);
      distances.push([0, ...others.map(({ distance }) => Math.max(0, distance))]);
    });
  }
  return { rows, distances };
}
