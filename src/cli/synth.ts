import { resolve } from 'node:path';
import { key } from '../base/index.js';
import { type CohortKind, syntheticDataset } from '../datasets/index.js';
import { interruptible, parseWords, seedOf, wholeNumber } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab synth --kind KIND --out FOLDER [options]

Draws a SYNTHETIC dataset in the form of a real one: slides of many patients and sites as pyramidal TIFFs, their masks
or polygons, slides.csv, and a definition that pathlab compile takes. Slides that are there already are kept.

  --kind KIND          ptcga200, pcam200, segpanda200 or segpanda200-both-providers
  --out FOLDER         where it goes
  --seed TEXT          a number or a word; the same seed gives the same bytes (0)
  --patients N         of each class (ptcga200), of each of tumor and normal (pcam200), in all (segpanda200) (3)
  --slides N           the most slides of a patient (1)
  --sites N            how many sites (all that the kind has)
  --classes N          ptcga200: so many of the classes (20)
  --columns N          tissue of a slide, or of a biopsy's core, in patches of 200 um
  --rows N
  --leaks A,B,C        doubles to plant: the same file, scanned again, scanned again at another site (0,0,0), each under a
                       patient of its own; leaks.json lists them. Compile leaves out the same file and says so in its
                       report, so that an audit of the shards cannot find it; one of slides.csv with a column side can
  --threads N          that draw (one a core, at most 4)
`;

/**
 * The command `pathlab synth`.
 *
 * @param words what follows `synth` on the command line
 * @returns the exit code: 0, or 130 when it was interrupted
 * @throws UsageError on wrong options, in one line for the user
 */
export async function synth(words: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseWords('synth', {
    args: [...words],
    options: {
      help: { type: 'boolean', short: 'h' },
      kind: text,
      out: text,
      seed: { type: 'string', default: '0' },
      patients: { type: 'string', default: '3' },
      slides: text,
      sites: text,
      classes: text,
      columns: text,
      rows: text,
      leaks: { type: 'string', default: '0,0,0' },
      threads: text,
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (!values.out || !values.kind) {
    throw new UsageError('synth needs --kind KIND and --out FOLDER (see pathlab synth --help)');
  }
  const number = (name: 'patients' | 'slides' | 'sites' | 'classes' | 'columns' | 'rows' | 'threads') =>
    wholeNumber(name, values[name], 0);
  const leaks = values.leaks.split(',').map((count) => wholeNumber('leaks', count, 0)!);
  if (leaks.length !== 3) throw new UsageError(`--leaks takes three whole numbers with commas; got "${values.leaks}"`);
  const options = {
    // Checked with the other options.
    kind: values.kind as CohortKind,
    patients: number('patients')!,
    slidesPerPatient: number('slides'),
    sites: number('sites'),
    classes: number('classes'),
    columns: number('columns'),
    rows: number('rows'),
    leaks: { exact: leaks[0], near: leaks[1], rescanned: leaks[2] },
  };
  const watch = {
    folder: resolve(values.out),
    threads: number('threads'),
    onProgress: (done: number, total: number) => console.error(`slide ${done} of ${total}`),
  };
  return interruptible('synth', async (signal) => {
    const { definitionPath } = await syntheticDataset(options, key(seedOf(values.seed)), { ...watch, signal });
    console.log(definitionPath);
    return 0;
  });
}
