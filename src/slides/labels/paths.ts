/** Part of a ring whose two ends are still open. */
export interface Path {
  first: number;
  last: number;
  /** The path that this one has become part of. */
  joined?: Path;
}

/** A ring's corners, x, y, x, y ...; and whether it may pass one of them twice. */
export interface ClosedPath {
  corners: Int32Array;
  touches: boolean;
}

/** Corners of all paths that are not closed yet, each in a linked list: 13 bytes a corner. */
export class Paths {
  private x = new Int32Array(1024);
  private y = new Int32Array(1024);
  private next = new Int32Array(1024);
  /** 1 where two corners of one label touch. */
  private touching = new Uint8Array(1024);
  private used = 0;
  /** First of the corners that were given back, which are linked too. */
  private free = -1;

  /** The path as it is now. */
  current(path: Path): Path {
    let last = path;
    while (last.joined) last = last.joined;
    if (path !== last) path.joined = last;
    return last;
  }

  /**
   * Joins the path that comes to a corner with the one that leaves it; either may begin here.
   *
   * @returns the joined path, or the ring that it closes
   */
  join(
    coming: Path | undefined,
    leaving: Path | undefined,
    x: number,
    y: number,
    touches: boolean,
  ): { path: Path } | { ring: ClosedPath } {
    const [into, from] = [coming && this.current(coming), leaving && this.current(leaving)];
    const corner = this.add(x, y, touches);
    if (into) {
      this.next[into.last] = corner;
      into.last = corner;
      if (into === from) return { ring: this.take(into) };
      if (!from) return { path: into };
      this.next[corner] = from.first;
      into.last = from.last;
      from.joined = into;
      return { path: into };
    }
    if (!from) return { path: { first: corner, last: corner } };
    this.next[corner] = from.first;
    from.first = corner;
    return { path: from };
  }

  private add(x: number, y: number, touches: boolean): number {
    let corner = this.free;
    if (corner >= 0) this.free = this.next[corner]!;
    else {
      corner = this.used++;
      if (corner === this.x.length) this.grow();
    }
    this.x[corner] = x;
    this.y[corner] = y;
    this.touching[corner] = touches ? 1 : 0;
    return corner;
  }

  private grow(): void {
    const grown = <Numbers extends Int32Array | Uint8Array>(from: Numbers, into: Numbers) => {
      into.set(from);
      return into;
    };
    const size = 2 * this.x.length;
    this.x = grown(this.x, new Int32Array(size));
    this.y = grown(this.y, new Int32Array(size));
    this.next = grown(this.next, new Int32Array(size));
    this.touching = grown(this.touching, new Uint8Array(size));
  }

  /** A path's corners, which are given back. */
  private take({ first, last }: Path): ClosedPath {
    let count = 1;
    for (let corner = first; corner !== last; corner = this.next[corner]!) count++;
    const corners = new Int32Array(2 * count);
    let touches = false;
    for (let place = 0, corner = first; place < count; place++, corner = this.next[corner]!) {
      corners[2 * place] = this.x[corner]!;
      corners[2 * place + 1] = this.y[corner]!;
      touches ||= this.touching[corner] === 1;
    }
    this.next[last] = this.free;
    this.free = first;
    return { corners, touches };
  }
}
