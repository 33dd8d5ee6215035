import { availableParallelism } from 'node:os';
import type { SlideFile } from './messages.js';
import {
  type Job,
  jobsInFlight,
  type ReaderLimits,
  ReaderProcess,
  type ReaderResult,
  type ReaderTask,
} from './reader-process.js';

/** Bytes that a reader process may have for itself: more than any usual read needs. Beyond it a file fails. */
const maxMemory = 2 ** 31;

/** Bytes that all reader processes usually hold: with the process that asks them, less than 1 GiB. */
export const defaultReaderMemory = 640 * 2 ** 20;

/**
 * What a reader process usually holds without its caches (measured on a slide of 100,000 x 80,000 px), and what it keeps of
 * decoded tiles: at least those of one read, at most some rows of a usual slide.
 */
const bareProcess = 64 * 2 ** 20;
const [minCache, maxCache] = [24 * 2 ** 20, 128 * 2 ** 20];

/**
 * As many reader processes as there are cores, or fewer, so that they all usually hold no more than so much.
 *
 * @param memory bytes
 * @returns also bytes of decoded tiles that each keeps
 * @throws RangeError where it is too little for one
 */
export function readersWithin(
  memory: number,
  cores = availableParallelism(),
): { processes: number; cacheBytes: number } {
  const least = bareProcess + minCache;
  if (!(memory >= least)) {
    throw new RangeError(
      `reader processes need at least ${least / 2 ** 20} MiB of memory; got ${memory / 2 ** 20} MiB`,
    );
  }
  const processes = Math.min(cores, Math.floor(memory / least));
  const cacheBytes = Math.min(maxCache, Math.floor(memory / processes) - bareProcess);
  return { processes, cacheBytes };
}

/** Reader processes wait this long for another slide. */
const idleMilliseconds = 20_000;

/**
 * Reader processes, up to a number, started when there is work for them. One that ends while it reads costs
 * the read in progress; others in line go to another process.
 */
export class ReaderPool {
  private readonly processes: ReaderProcess[] = [];
  private readonly waiting: Job[] = [];
  private readonly limits: ReaderLimits;
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly size: number,
    { memoryLimit = maxMemory, cacheBytes = maxCache, nodeArguments }: Partial<ReaderLimits> = {},
    /** Milliseconds that one image may take. */
    readonly imageTime = 60_000,
  ) {
    this.limits = { memoryLimit, cacheBytes, nodeArguments };
  }

  /** Process ids of the readers that run. */
  get pids(): number[] {
    return this.processes.map((process) => process.pid);
  }

  /** Runs a request in one of the processes; `take` sees the answer while its pixels can be read. */
  run<Result>(task: ReaderTask, timeLimit: number, take: (answer: ReaderResult) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, timeLimit, take: (answer) => resolve(take(answer)), fail: reject });
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
            const task = { slide, request: { do: 'close' } } as const;
            process.start({ task, timeLimit, take: () => resolve(), fail: () => resolve() });
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
        this.limits,
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

let memory = defaultReaderMemory;
let shared: ReaderPool | undefined;

/** The pool that slides and images are read through. */
export function readerPool(): ReaderPool {
  if (!shared) {
    const { processes, cacheBytes } = readersWithin(memory);
    shared = new ReaderPool(processes, { cacheBytes });
  }
  return shared;
}

/** Reads what is opened from now on through another pool. */
export function useReaderPool(pool: ReaderPool | undefined): void {
  shared?.end();
  shared = pool;
}

/** What the processes that read slides and images are allowed, and how many that gives. */
export function readers(): { processes: number; memory: number } {
  return { processes: readersWithin(memory).processes, memory };
}

/**
 * Sets how much memory the processes that read slides and images usually hold, all together: as many run as there are
 * cores, or as fit. More lets more run, and keeps more decoded tiles. To be called before a slide is opened.
 *
 * @param bytes 640 MiB where this is not called
 * @throws RangeError where it is too little for one process
 */
export function setReaderMemory(bytes: number): void {
  readersWithin(bytes);
  memory = bytes;
  useReaderPool(undefined);
}
