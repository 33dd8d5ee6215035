import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bothKernels } from '../../bench/plain-tslab.mjs';
import { startTime } from '../../kernel-setup/setup/lock.mjs';

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

export interface Message {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: contents differ by message type; tests look into them
  content: any;
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: see Message
  reply: any;
  outputs: Message[];
}

interface SendOptions {
  stopOnError?: boolean;
  silent?: boolean;
  allowStdin?: boolean;
}

/** A real kernel, started by jupyter_client from its kernelspec and driven over the Jupyter protocol. */
export class Kernel {
  private constructor(
    private readonly driver: ChildProcess,
    private readonly answers: Interface,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async start(options: { name?: string; folder?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Kernel> {
    const script = fileURLToPath(new URL('kernel-driver.py', import.meta.url));
    const folder = options.folder ?? join(projectRoot, 'notebooks');
    const name = options.name ?? 'pathlab';
    const kernels = name === 'tslab' ? bothKernels() : undefined;
    const driver = spawn(join(projectRoot, '.venv/bin/python'), [script, name, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...(kernels?.environment ?? process.env), ...options.env },
    });
    const answers = createInterface({ input: driver.stdout! });
    const kernel = new Kernel(driver, answers, answers[Symbol.asyncIterator]());
    try {
      await kernel.nextLine();
    } finally {
      kernels?.remove();
    }
    return kernel;
  }

  private async nextLine(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the kernel driver ended');
    return JSON.parse(value);
  }

  private async ask<T>(command: Record<string, unknown>): Promise<T> {
    this.driver.stdin!.write(`${JSON.stringify(command)}\n`);
    const answer = (await this.nextLine()) as { ok: T; failed?: string };
    if (answer.failed) throw new Error(answer.failed);
    return answer.ok;
  }

  /** Runs a cell to its end. */
  async run(code: string, options: SendOptions = {}): Promise<Answer> {
    return this.wait(await this.send(code, options));
  }

  /** Asks for a cell without waiting for it. */
  send(code: string, options: SendOptions = {}): Promise<string> {
    return this.ask({ op: 'send', code, ...options });
  }

  wait = (request: string): Promise<Answer> => this.ask({ op: 'wait', request });
  outputsWith = (request: string, text: string): Promise<Message[]> => this.ask({ op: 'outputs', request, text });
  complete = (code: string, position = code.length): Promise<Answer> => this.ask({ op: 'complete', code, position });
  inspect = (code: string): Promise<Answer> => this.ask({ op: 'inspect', code, position: code.length });
  info = (): Promise<Answer> => this.ask({ op: 'info' });
  history = (query: Record<string, unknown>): Promise<Answer> => this.ask({ op: 'history', query });
  isComplete = (code: string): Promise<Answer> => this.ask({ op: 'is_complete', code });
  /** Answers the question that a cell asks, and says what it was. */
  input = (answer: string): Promise<{ prompt: string; password: boolean }> => this.ask({ op: 'input', answer });
  isAlive = (): Promise<boolean> => this.ask({ op: 'alive' });
  comms = (): Promise<Answer> => this.ask({ op: 'comms' });
  interrupt = (): Promise<void> => this.ask({ op: 'interrupt' });
  pid = (): Promise<number> => this.ask({ op: 'pid' });
  shutdown = (): Promise<void> => this.ask({ op: 'shutdown' });
  restart = (): Promise<void> => this.ask({ op: 'restart' });

  /** Kills the client without a word to the kernel, as a crash of JupyterLab or papermill would. */
  killClient(): void {
    this.driver.kill('SIGKILL');
  }

  async close(): Promise<void> {
    const ended = this.driver.exitCode !== null || this.driver.signalCode !== null;
    if (!ended) {
      const exit = new Promise((resolve) => this.driver.once('exit', resolve));
      this.driver.stdin!.end();
      await exit;
    }
    this.answers.close();
  }
}

/** The joined text of a stream. */
export function streamText(outputs: readonly Message[], name: 'stdout' | 'stderr' = 'stdout'): string {
  return outputs
    .filter((output) => output.type === 'stream' && output.content.name === name)
    .map((output) => output.content.text)
    .join('');
}

export const ofType = (outputs: readonly Message[], type: string): Message[] =>
  outputs.filter((output) => output.type === type);

/** What a cell's last expression reads as. */
export function resultOf(outputs: readonly Message[]): string {
  const [result] = ofType(outputs, 'execute_result');
  if (!result) throw new Error(`the cell had no result, but ${JSON.stringify(outputs)}`);
  return result.content.data['text/plain'];
}

/** The kernel that the tests run on: with `PATHLAB_TEST_KERNEL=tslab` they show what plain tslab does. */
export const kernelName = process.env.PATHLAB_TEST_KERNEL ?? 'pathlab';

/** A process that has ended does not run any more, also while nobody has asked yet how it ended. */
export const isRunning = (pid: number): boolean => startTime(pid) !== undefined;
