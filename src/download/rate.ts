import { setTimeout as sleep } from 'node:timers/promises';

/** Holds several streams together below a rate. */
export class BandwidthLimit {
  private readyAt = performance.now();

  constructor(private readonly bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`a bandwidth is a number above 0, bytes/s; got ${bytesPerSecond}`);
  }

  /** Waits until some more bytes may be taken. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const now = performance.now();
    // Time in which nothing was taken is not saved up, but for a quarter of a second.
    this.readyAt = Math.max(this.readyAt, now - 250) + (1000 * bytes) / this.bytesPerSecond;
    if (this.readyAt > now) await sleep(this.readyAt - now, undefined, { signal });
  }
}

export interface MinimumRate {
  /** Below this, averaged over `slowSeconds`, a stream counts as stuck. */
  minimumBytesPerSecond: number;
  slowSeconds: number;
}

/**
 * Watches a stream that may stand still or trickle; time that this side spends is not held against the server.
 *
 * @param stop called once when it is too slow
 */
export class RateWatch {
  private readonly timer: NodeJS.Timeout;
  private bytes = 0;
  private waited = 0;
  private waitingSince: number | undefined = performance.now();

  constructor({ minimumBytesPerSecond, slowSeconds }: MinimumRate, stop: () => void) {
    const look = Math.max(10, Math.min(1000, (slowSeconds * 1000) / 4));
    this.timer = setInterval(() => {
      const now = performance.now();
      if (this.waitingSince !== undefined) {
        this.waited += now - this.waitingSince;
        this.waitingSince = now;
      }
      if (this.waited < slowSeconds * 1000) return;
      if (this.bytes < (minimumBytesPerSecond * this.waited) / 1000) {
        this.end();
        stop();
      }
      this.bytes = 0;
      this.waited = 0;
    }, look);
  }

  /** Some bytes came; until `wait` the server has nothing to do. */
  came(bytes: number): void {
    this.bytes += bytes;
    if (this.waitingSince !== undefined) this.waited += performance.now() - this.waitingSince;
    this.waitingSince = undefined;
  }

  /** The server is waited for again. */
  wait(): void {
    this.waitingSince = performance.now();
  }

  end(): void {
    clearInterval(this.timer);
  }
}
