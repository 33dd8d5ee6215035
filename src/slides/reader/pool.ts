import { availableParallelism } from 'node:os';
import type { Request, SlideFacts, SlideFile } from './messages.js';
import { type Job, jobsInFlight, ReaderProcess } from './reader-process.js';

/** Bytes that a reader process may have for itself: more than any usual read needs. */
export const readerMemory = 2 ** 31;

/** Reader processes wait this long for another slide. */
const idleMilliseconds = 20_000;

/**
 * Reader processes, as many as there are cores, started when there is work for them. One that ends while it reads costs
 * the read in progress; others in line go to another process.
 */
export class ReaderPool {
  private readonly processes: ReaderProcess[] = [];
  private readonly waiting: Job[] = [];
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly size = availableParallelism(),
    private readonly memoryLimit = readerMemory,
  ) {}

  /** Process ids of the readers that run. */
  get pids(): number[] {
    return this.processes.map((process) => process.pid);
  }

  /** Runs a request in one of the processes; `take` sees the answer while its pixels can be read. */
  run<Result>(
    slide: SlideFile,
    request: Request,
    timeLimit: number,
    take: (answer: { facts?: SlideFacts; lengths: number[]; read(target: Uint8Array, at: number): void }) => Result,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ slide, request, timeLimit, take: (answer) => resolve(take(answer)), fail: reject });
      this.assign();
    });
  }

  /** Closes a slide in every process that may have it open. */
  async close(slide: SlideFile, timeLimit: number): Promise<void> {
    const open = this.processes.filter((process) => process.slides.delete(slide.key));
    await Promise.all(
      open.map(
        (process) =>
          new Promise<void>((resolve) => {
            // A process that ends instead has closed it too.
            process.start({ slide, request: { do: 'close' }, timeLimit, take: () => resolve(), fail: () => resolve() });
            process.slides.delete(slide.key);
          }),
      ),
    );
  }

  /** Ends the processes at once; what is asked afterwards goes to new ones. */
  end(): void {
    for (const process of this.processes.splice(0)) process.kill('was ended');
  }

  private assign(): void {
    clearTimeout(this.idleTimer);
    while (this.waiting.length > 0) {
      const process = this.leastBusy();
      if (!process) break;
      process.start(this.waiting.shift()!);
    }
    if (this.processes.every((process) => process.load === 0)) {
      this.idleTimer = setTimeout(() => this.end(), idleMilliseconds).unref();
    }
  }

  private leastBusy(): ReaderProcess | undefined {
    const [best] = [...this.processes].sort((one, other) => one.load - other.load);
    if (best?.load === 0) return best;
    if (this.processes.length < this.size) {
      const process = new ReaderProcess(
        this.memoryLimit,
        () => this.assign(),
        (ended, unharmed) => this.replace(ended, unharmed),
      );
      this.processes.push(process);
      return process;
    }
    return best && best.load < jobsInFlight ? best : undefined;
  }

  private replace(ended: ReaderProcess, unharmed: Job[]): void {
    const at = this.processes.indexOf(ended);
    if (at >= 0) this.processes.splice(at, 1);
    this.waiting.unshift(...unharmed);
    this.assign();
  }
}

let shared: ReaderPool | undefined;

/** The pool that slides are read through. */
export function readerPool(): ReaderPool {
  shared ??= new ReaderPool();
  return shared;
}
