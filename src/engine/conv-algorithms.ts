import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/index.js';
import type { Precision } from './compile/precision.js';
import { describeDevice } from './device.js';
import {
  type ConvolutionShape,
  type GradientAlgorithm,
  gradientAlgorithms,
  supportedAlgorithms,
} from './ops/weight-gradient.js';

/**
 * Which form each convolution's weight gradient takes in compiled steps. Which is fastest depends on the machine, so it
 * is measured (`autotuneConvolutions`); a convolution that is not in the table takes the form that usually is.
 *
 * The form decides the order of sums, and with it a result's last bits: `train` keeps the table with its checkpoints,
 * and gives it back for the run's provenance.
 */
export class ConvAlgorithms {
  private readonly forms: Map<string, GradientAlgorithm>;

  /**
   * @param table as another's `table`
   * @param file where `save` writes
   * @throws RangeError if the table holds what is not a form
   */
  constructor(
    table: Readonly<Record<string, string>> = {},
    private readonly file?: string,
  ) {
    for (const [convolution, form] of Object.entries(table)) {
      if (!(gradientAlgorithms as readonly string[]).includes(form)) {
        throw new RangeError(
          `${convolution}: its weight gradient is one of ${gradientAlgorithms.join(', ')}; got "${form}"`,
        );
      }
    }
    this.forms = new Map(Object.entries(table) as [string, GradientAlgorithm][]);
  }

  /** What is known, by what `describeConvolution` calls it, in alphabetical order. */
  get table(): Record<string, GradientAlgorithm> {
    return Object.fromEntries([...this.forms].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /**
   * What was measured on this machine before: with this CPU or GPU, number of threads and version of TensorFlow.
   *
   * @param file by default in the user's cache folder (`$XDG_CACHE_HOME`)
   * @throws Error if the file cannot be read as such; deleting it does no harm
   */
  static async load(file = join(cacheFolder(), 'conv-algorithms.json')): Promise<ConvAlgorithms> {
    return new ConvAlgorithms((await stored(file))[thisMachine()] ?? {}, file);
  }

  /** Adds what is known to the file that it was loaded from. */
  async save(): Promise<void> {
    if (!this.file) return;
    const all = await stored(this.file);
    all[thisMachine()] = { ...all[thisMachine()], ...this.table };
    await writeFileAtomic(this.file, `${JSON.stringify(all, null, 2)}\n`);
  }

  get(convolution: string): GradientAlgorithm | undefined {
    return this.forms.get(convolution);
  }

  set(convolution: string, form: GradientAlgorithm): void {
    this.forms.set(convolution, form);
  }
}

type Tables = Record<string, Record<string, string>>;

async function stored(file: string): Promise<Tables> {
  if (!existsSync(file)) return {};
  try {
    const tables: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof tables === 'object' && tables !== null && !Array.isArray(tables)) return tables as Tables;
    throw new Error('it is not a JSON object');
  } catch (error) {
    throw new Error(
      `${file} has no valid convolution algorithms: ${(error as Error).message}. Delete it; it will be recreated`,
    );
  }
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pathlab');
}

function thisMachine(): string {
  const { name, threads, tensorflow } = describeDevice();
  return `${name}, ${threads.intraOp} threads, TensorFlow ${tensorflow}`;
}

/** As `3x3/2 convolution of [16, 58, 58, 128] to 128 channels, VALID, bfloat16`. */
export function describeConvolution(
  { kind, x, weight, stride, padding }: ConvolutionShape,
  precision: Precision,
): string {
  const [height, width, , out] = weight;
  const channels = kind === 'depthwise' ? `${out} of each channel` : `${out} channels`;
  return `${height}x${width}/${stride} ${kind} of [${x.join(', ')}] to ${channels}, ${padding}, ${precision}`;
}

interface Use {
  forms: ConvAlgorithms;
  precision: Precision;
  /** Told of each convolution whose gradient is taken. */
  onUse?: (name: string, shape: ConvolutionShape) => void;
}

let inUse: Use | undefined;

/** Runs `body`, whose convolutions take these forms. */
export function withConvAlgorithms<Result>(use: Use | undefined, body: () => Result): Result {
  const before = inUse;
  inUse = use;
  try {
    return body();
  } finally {
    inUse = before;
  }
}

/** The form that a convolution takes here. */
export function algorithmInUse(shape: ConvolutionShape): GradientAlgorithm {
  const [usual] = supportedAlgorithms(shape) as [GradientAlgorithm];
  if (!inUse) return usual;
  const name = describeConvolution(shape, inUse.precision);
  inUse.onUse?.(name, shape);
  return inUse.forms.get(name) ?? usual;
}
