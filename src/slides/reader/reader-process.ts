import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../base/index.js';
import { isOutOfMemory } from './decode-image.js';
import type {
  ImageAnswer,
  ImagesRequest,
  RequestMessage,
  ResponseMessage,
  SlideFacts,
  SlideFile,
  SlideRequest,
} from './messages.js';
import { SlotFile } from './slot-file.js';

/** What a reader process is asked. */
export type ReaderTask =
  | { slide: SlideFile; request: SlideRequest }
  /** `given`: bytes of the images that are in this process's memory, in their order. */
  | { slide?: undefined; request: ImagesRequest; given: readonly Uint8Array[] };

/** An answer, while the slot's file still holds the pixels. */
export interface ReaderResult {
  facts?: SlideFacts;
  images?: ImageAnswer[];
  lengths: number[];
  read(target: Uint8Array, at: number): void;
}

/** Work for a reader process and what becomes of its answer. */
export interface Job {
  task: ReaderTask;
  /** Milliseconds that it may take. */
  timeLimit: number;
  take(answer: ReaderResult): void;
  fail(error: Error): void;
}

/** The process ended, or was stopped, while it worked on a job: `message` says how. */
export class ReaderEndedError extends Error {
  override name = 'ReaderEndedError';
}

/** What one reader process may have. */
export interface ReaderLimits {
  memoryLimit: number;
  cacheBytes: number;
  nodeArguments?: readonly string[];
}

/** Jobs that one process holds: it works on the first while the answer of the one before is taken. */
export const jobsInFlight = 2;

const program = join(projectRoot, 'dist', 'slides', 'reader', 'process.js');

/** One reader process, limited in time and memory. */
export class ReaderProcess {
  /** Slides that it may have open. */
  readonly slides = new Set<number>();
  private readonly child: ChildProcess;
  private readonly slots = Array.from({ length: jobsInFlight }, () => new SlotFile());
  private readonly inFlight: { job: Job; slot: number; id: number }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private errorOutput = '';
  private nextId = 0;
  private killedFor: string | undefined;

  /**
   * @param limits.memoryLimit bytes of memory of its own (RLIMIT_DATA) that the process may have
   * @param limits.cacheBytes decoded tiles that it keeps
   * @param limits.nodeArguments to Node, before the program
   * @param onIdle called when it can take another job
   * @param onEnd called when it has ended, with the jobs that were not its fault
   */
  constructor(
    private readonly limits: ReaderLimits,
    private readonly onIdle: () => void,
    private readonly onEnd: (process: ReaderProcess, unharmed: Job[]) => void,
  ) {
    if (!existsSync(program)) throw new Error(`the slide reader ${program} is missing; run "npm run setup"`);
    // The shell sets the limit for itself and becomes the reader. macOS accepts the limit and does not enforce it.
    const limited = `ulimit -d ${Math.floor(limits.memoryLimit / 1024)}; exec "$@"`;
    const words = [...(limits.nodeArguments ?? []), program, String(limits.cacheBytes)];
    this.child = spawn('/bin/sh', ['-c', limited, 'sh', process.execPath, ...words], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...this.slots.map((slot) => slot.descriptor)],
      env: { ...process.env, NODE_OPTIONS: '' },
      // An interrupt goes to all of a terminal's group. It is the command's to end with, and not a fault of a slide.
      detached: true,
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errorOutput = (this.errorOutput + text).slice(-2000);
    });
    this.child.on('message', (answer: ResponseMessage) => this.finish(answer));
    this.child.on('error', (error) => this.end(`cannot be started: ${error.message}`));
    this.child.on('exit', (code, signal) => {
      const ended = `ended (${signal ?? `exit status ${code}`})`;
      // One that crashed may look unreachable first, and was then killed in vain.
      this.end(signal === 'SIGKILL' ? (this.killedFor ?? ended) : ended);
    });
    this.holdParent(false);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get load(): number {
    return this.inFlight.length;
  }

  start(job: Job): void {
    const slot = this.slots.findIndex((_, index) => this.inFlight.every((other) => other.slot !== index));
    const { task } = job;
    const question: RequestMessage = task.slide
      ? { id: this.nextId++, slot, slide: task.slide, request: task.request }
      : { id: this.nextId++, slot, request: task.request };
    if (task.slide) this.slides.add(task.slide.key);
    else if (!this.handOver(task.given, slot, job)) return;
    this.inFlight.push({ job, slot, id: question.id });
    if (this.inFlight.length === 1) this.startClock();
    this.holdParent(true);
    this.child.send(question, (error) => {
      // A process that has ended says so itself.
      if (error && this.child.connected) this.kill(`cannot be reached: ${error.message}`);
    });
  }

  /** Puts images into a slot. Where its memory has no room for them, they alone fail. */
  private handOver(given: readonly Uint8Array[], slot: number, job: Job): boolean {
    try {
      this.slots[slot]!.write(given);
      return true;
    } catch (error) {
      job.fail(error as Error);
      return false;
    }
  }

  kill(reason: string): void {
    this.killedFor ??= reason;
    this.child.kill('SIGKILL');
  }

  private finish(answer: ResponseMessage): void {
    const first = this.inFlight[0];
    if (!first || first.id !== answer.id) {
      this.kill('answered a question that was not asked');
      return;
    }
    const { job, slot } = first;
    try {
      if ('error' in answer) job.fail(new Error(this.describeFailure(answer.error, job)));
      else {
        const lengths = answer.lengths ?? [];
        job.take({ ...answer, lengths, read: (target, at) => this.slots[slot]!.read(target, at) });
        // A slide may be closed while every slot is taken: closing uses none.
        const given = job.task.slide ? [] : job.task.given.map((bytes) => bytes.length);
        if (lengths.length > 0)
          this.slots[slot]!.release([...lengths, ...given].reduce((sum, bytes) => sum + bytes, 0));
      }
    } catch (error) {
      job.fail(error as Error);
    }
    this.inFlight.shift();
    this.startClock();
    if (this.inFlight.length === 0) this.holdParent(false);
    this.onIdle();
  }

  private describeFailure(error: string, { task: { slide } }: Job): string {
    if (!slide || !isOutOfMemory({ message: error })) return error;
    return `${slide.path}: reading it needs more memory than a reader process may have, ${this.limits.memoryLimit / 2 ** 20} MiB`;
  }

  /** The time of the first job in line runs; the others wait for it. */
  private startClock(): void {
    clearTimeout(this.timer);
    const limit = this.inFlight[0]?.job.timeLimit;
    if (limit === undefined) return;
    this.timer = setTimeout(() => this.kill(`took longer than ${limit / 1000} s and was stopped`), limit);
  }

  private end(how: string): void {
    if (this.timer) clearTimeout(this.timer);
    const [first, ...others] = this.inFlight.splice(0);
    for (const slot of this.slots.splice(0)) slot.close();
    if (first) {
      const said = this.errorOutput.trim().split('\n').slice(-3).join(' ');
      const memory = /bad_alloc|out of memory|allocate|ENOMEM|RangeError/i.test(this.errorOutput)
        ? ` It may have at most ${Math.round(this.limits.memoryLimit / 2 ** 20)} MiB of memory.`
        : '';
      const reason = `the process that was reading it ${how}${said && how !== this.killedFor ? `: ${said}` : ''}.${memory}`;
      const { slide } = first.job.task;
      first.job.fail(new ReaderEndedError(slide ? `${slide.path}: ${reason}` : reason));
    }
    this.onEnd(
      this,
      others.map((other) => other.job),
    );
  }

  /** Whether this process waits for the reader before it ends. */
  private holdParent(hold: boolean): void {
    const handles = [this.child, this.child.channel, this.child.stderr as unknown as { ref(): void; unref(): void }];
    for (const handle of handles) hold ? handle?.ref() : handle?.unref();
  }
}
