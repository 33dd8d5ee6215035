import type { Pixels } from './pixels.js';

/** Keys of one level's tiles lie together. */
const tilesOfLevel = 2 ** 32;

/**
 * Decoded tiles of all slides that a reader process has open, up to so many bytes; those longest unused go first. One
 * cache for all: with one a level, each slide under way would add several to what a process holds.
 */
export class TileCache {
  /** In the order of their last use. */
  private readonly tiles = new Map<number, Pixels>();
  private bytes = 0;
  private levels = 0;

  constructor(private readonly maxBytes: number) {}

  /** A number for a level, by which its tiles are known. */
  level(): number {
    return this.levels++;
  }

  get(level: number, index: number): Pixels | undefined {
    const key = level * tilesOfLevel + index;
    const tile = this.tiles.get(key);
    if (tile) {
      this.tiles.delete(key);
      this.tiles.set(key, tile);
    }
    return tile;
  }

  /** A buffer for a tile that is to be decoded: where there is no room left, that of a tile long unused. */
  room(bytes: number): Buffer {
    let freed: Buffer | undefined;
    for (const [key, { data }] of this.tiles) {
      if (this.bytes + bytes <= this.maxBytes) break;
      this.tiles.delete(key);
      this.bytes -= data.length;
      freed = data;
    }
    return freed?.length === bytes ? freed : Buffer.allocUnsafeSlow(bytes);
  }

  put(level: number, index: number, tile: Pixels): void {
    this.tiles.set(level * tilesOfLevel + index, tile);
    this.bytes += tile.data.length;
  }

  /** Lets a level's tiles go. */
  forget(level: number): void {
    for (const [key, { data }] of this.tiles) {
      if (Math.floor(key / tilesOfLevel) !== level) continue;
      this.tiles.delete(key);
      this.bytes -= data.length;
    }
  }
}
