import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { projectRoot } from '../../base/index.js';
import type { SectionFiles, SyntheticSection, WrittenFile } from '../../slides/index.js';

/** What a drawing thread is asked for, and what it answers. */
export interface DrawJob {
  section: SyntheticSection;
  files: SectionFiles;
}
export type DrawAnswer = { written: WrittenFiles } | { error: string };
export type WrittenFiles = { [File in keyof SectionFiles]: WrittenFile };

/** Threads need compiled code, also where this module itself runs from src/. */
const workerPath = join(projectRoot, 'dist', 'datasets', 'cohort', 'draw-worker.js');

/** Threads that draw sections. Drawing is JavaScript: each thread keeps one core busy. */
export class DrawPool {
  private readonly idle: Worker[] = [];
  private readonly all: Worker[] = [];

  constructor(readonly size = Math.min(4, availableParallelism())) {
    if (!(Number.isSafeInteger(size) && size > 0))
      throw new RangeError(`threads must be a positive integer; got ${size}`);
    if (!existsSync(workerPath)) throw new Error(`${workerPath} is missing; run: npm run build`);
  }

  /** Draws one section; at most `size` may be under way. */
  async draw(job: DrawJob): Promise<WrittenFiles> {
    const worker = this.idle.pop() ?? this.start();
    const answer = await new Promise<DrawAnswer>((resolve, reject) => {
      const ended = (code: number) => reject(new Error(`a rendering thread ended with code ${code}`));
      const answered = (message: DrawAnswer) => {
        worker.off('error', reject);
        worker.off('exit', ended);
        resolve(message);
      };
      worker.once('message', answered);
      worker.once('error', reject);
      worker.once('exit', ended);
      worker.postMessage(job);
    });
    this.idle.push(worker);
    if ('error' in answer) throw new Error(answer.error);
    return answer.written;
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.terminate()));
  }

  private start(): Worker {
    // Without this, options of the process that are not for threads (a debugger's, a test runner's) are passed on.
    const worker = new Worker(workerPath, { execArgv: [] });
    this.all.push(worker);
    return worker;
  }
}
