import { resolve } from 'node:path';
import { syntheticCohort } from '../datasets/index.js';
import { key } from '../runs/index.js';
import { tissueKinds } from '../slides/index.js';
import { decimal, interruptible, parseWords, seedOf, wholeNumber } from './options.js';
import { synthCohort } from './synth-cohort.js';
import { UsageError } from './usage-error.js';

const help = `pathlab synth --out FOLDER [options]
pathlab synth cohort --kind KIND --out FOLDER [options]     (a dataset of many patients; synth cohort --help)

Draws synthetic H&E slides: tiled pyramidal TIFFs that OpenSlide opens, each with a JSON record
(what was drawn where). Slides that are there already, made with the same options, are kept.

  --out FOLDER     where the slides go
  --slides N       how many (1)
  --seed TEXT      a number or a word; the same seed gives the same bytes (0)
  --columns N      tissue on a slide, in patches of 200 um (8)
  --rows N         (6)
  --block N        side of an area of one tissue kind, in patches (2)
  --mpp X          size of a pixel, um (0.5)
  --kinds A,B,...  tissue kinds (all): ${tissueKinds.map((kind) => kind.name).join(', ')}
`;

/**
 * The command `pathlab synth`.
 *
 * @param words what follows `synth` on the command line
 * @returns the exit code: 0, or 130 when it was interrupted
 * @throws UsageError on wrong options, in one line for the user
 */
export async function synth(words: readonly string[]): Promise<number> {
  if (words[0] === 'cohort') return synthCohort(words.slice(1));
  const { values } = parseWords('synth', {
    args: [...words],
    options: {
      help: { type: 'boolean', short: 'h' },
      out: { type: 'string' },
      slides: { type: 'string', default: '1' },
      seed: { type: 'string', default: '0' },
      columns: { type: 'string' },
      rows: { type: 'string' },
      block: { type: 'string' },
      mpp: { type: 'string' },
      kinds: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (!values.out) throw new UsageError('synth needs --out FOLDER, where the slides go (see pathlab synth --help)');
  const options = {
    folder: resolve(values.out),
    slides: wholeNumber('slides', values.slides)!,
    columns: wholeNumber('columns', values.columns),
    rows: wholeNumber('rows', values.rows),
    blockPatches: wholeNumber('block', values.block),
    umPerPixel: decimal('mpp', values.mpp),
    kinds: values.kinds?.split(','),
  };
  return interruptible('synth', async (signal) => {
    const cohort = await syntheticCohort(options, key(seedOf(values.seed)), {
      signal,
      onProgress: (done, total) => console.error(`slide ${done} of ${total}`),
    });
    for (const slide of cohort.slides) console.log(slide.path);
    return 0;
  });
}
