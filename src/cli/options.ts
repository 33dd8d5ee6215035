import { type ParseArgsConfig, parseArgs } from 'node:util';
import { InterruptedError } from '../base/index.js';
import { UsageError } from './usage-error.js';

/**
 * Parses command-line options.
 *
 * @throws UsageError for unknown options
 */
export function parseOptions<const Config extends ParseArgsConfig>(command: string, config: Config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(`${(error as Error).message.replaceAll('\n', ' ')} (see pathlab ${command} --help)`);
  }
}

/** An integer option; undefined if it is not given. */
export function wholeNumber(name: string, text: string | undefined, least = 1): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
  const takes = least === 0 ? 'a whole number' : least === 1 ? 'a positive integer' : `an integer of ${least} or more`;
  throw new UsageError(`--${name} takes ${takes}; got "${text}"`);
}

/** A positive number option, in the given unit; undefined if it is not given. */
export function decimal(name: string, text: string | undefined, unit = 1): number | undefined {
  if (text === undefined) return undefined;
  if (/^(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number(text) > 0) return Number(text) * unit;
  throw new UsageError(`--${name} takes a number above 0; got "${text}"`);
}

/** A fraction option, 0 to 1; undefined if it is not given. */
export function share(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^(\d+(\.\d*)?|\.\d+)$/.test(text) && Number(text) <= 1) return Number(text);
  throw new UsageError(`--${name} takes a fraction from 0 to 1; got "${text}"`);
}

/** A numeric seed is a number, so that `--seed 0` is the seed 0 of notebooks; any other is a string. */
export function seedOf(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/**
 * Runs a command that Ctrl-C interrupts.
 *
 * @param afterwards message on what happens to finished work; most commands continue where they stopped
 * @returns its exit code, or 130 when it was interrupted
 * @throws UsageError with the error's message
 */
export async function interruptible(
  name: string,
  work: (signal: AbortSignal) => Promise<number>,
  afterwards = 'run it again to continue',
): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    return await work(stop.signal);
  } catch (error) {
    if (error instanceof InterruptedError || stop.signal.aborted) {
      console.error(`${name} was interrupted; ${afterwards}`);
      return 130;
    }
    throw new UsageError((error as Error).message);
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
