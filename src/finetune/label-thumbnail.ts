/** A small image of labels that come row by row: each of its pixels has the label at its center. */
export class LabelThumbnail {
  readonly width: number;
  readonly height: number;
  /** `[height, width]`. */
  readonly labels: Uint8Array;
  /** Rows that came, and rows of the small image that are filled. */
  private came = 0;
  private filled = 0;

  /** @param maxSize of the longer side, px */
  constructor(
    private readonly fullWidth: number,
    private readonly fullHeight: number,
    maxSize: number,
  ) {
    const factor = Math.max(1, Math.max(fullWidth, fullHeight) / maxSize);
    this.width = Math.max(1, Math.round(fullWidth / factor));
    this.height = Math.max(1, Math.round(fullHeight / factor));
    this.labels = new Uint8Array(this.width * this.height);
  }

  /** @param labels of the next rows, `[rows, width]` */
  add(labels: Uint8Array): void {
    const { fullWidth, fullHeight, width, height } = this;
    const end = this.came + labels.length / fullWidth;
    for (; this.filled < height; this.filled++) {
      const row = Math.floor(((this.filled + 0.5) * fullHeight) / height);
      if (row >= end) break;
      const line = (row - this.came) * fullWidth;
      for (let column = 0; column < width; column++) {
        const from = Math.floor(((column + 0.5) * fullWidth) / width);
        this.labels[this.filled * width + column] = labels[line + from]!;
      }
    }
    this.came = end;
  }
}
