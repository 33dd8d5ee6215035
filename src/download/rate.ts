import { setTimeout as sleep } from 'node:timers/promises';

/** Limits the total rate of several streams. */
export class BandwidthLimit {
  private readyAt = performance.now();

  constructor(private readonly bytesPerSecond: number) {
    if (!(bytesPerSecond > 0))
      throw new RangeError(`bandwidth must be a number above 0, bytes/s; got ${bytesPerSecond}`);
  }

  /** Waits until some more bytes may be taken. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const now = performance.now();
    // At most a quarter of a second of idle time is credited.
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
 * Detects stalled and slow streams; time spent by this process does not count.
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

  /** Bytes arrived; the clock stops until `wait`. */
  came(bytes: number): void {
    this.bytes += bytes;
    if (this.waitingSince !== undefined) this.waited += performance.now() - this.waitingSince;
    this.waitingSince = undefined;
  }

  /** Restarts the clock. */
  wait(): void {
    this.waitingSince = performance.now();
  }

  end(): void {
    clearInterval(this.timer);
  }
}
