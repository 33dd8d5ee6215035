/** What the notebook kernel offers to code that runs in its cells; absent outside a notebook. */
export interface KernelServices {
  /** Publishes one `display_data` message, or `update_display_data` for an earlier `displayId`. */
  display(message: {
    data: Record<string, unknown>;
    metadata?: Record<string, unknown>;
    displayId?: string;
    update?: boolean;
  }): void;
  /** Removes the cell's output so far; with `wait` only when the next output comes. */
  clearOutput(wait?: boolean): void;
  /** Asks the user of the notebook; rejects if there is none. */
  input(prompt?: string, options?: { password?: boolean }): Promise<string>;
  /** The running cell's signal: the first interrupt aborts it, and the cell ends by itself. */
  interruptSignal(): AbortSignal;
  /** The sources of the cells that were run, in order, including the running one; each text once. */
  executedCells(): string[];
}

export function kernelServices(): KernelServices | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for('pathlab.kernel')] as KernelServices | undefined;
}

/** A signal that the kernel's interrupt aborts; outside a notebook it never aborts. */
export function interruptSignal(): AbortSignal {
  return kernelServices()?.interruptSignal() ?? new AbortController().signal;
}

/** Thrown by an interrupted job after it has saved its work. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
}

/** Throws if the job was interrupted; for jobs whose finished parts are already on disk. */
export function throwIfInterrupted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new InterruptedError(`${what} was interrupted; run it again to continue`);
}

/**
 * Asks the user of the notebook.
 *
 * @param options.password hides what is typed
 * @throws Error if nobody can answer: in papermill, and outside a notebook
 */
export async function input(prompt = '', options: { password?: boolean } = {}): Promise<string> {
  const kernel = kernelServices();
  if (!kernel) throw new Error('input() works in notebooks only');
  return kernel.input(prompt, options);
}
