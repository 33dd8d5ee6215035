import {
  type CompileDatasetOptions,
  type CompilePart,
  compileDataset,
  compilePart,
  describeData,
  describePlan,
  disagreements,
  finishDataset,
  nameData,
  openShardDataset,
  planCompile,
  resolveDataset,
  slidesOnDisk,
} from '../datasets/index.js';
import { setReaderMemory } from '../slides/index.js';
import { interruptible, parseOptions, seedOf, share, wholeNumber } from './options.js';
import { printExcluded } from './print-excluded.js';
import { printListPage, printListRetry } from './print-list.js';
import { UsageError } from './usage-error.js';

const help = `pathlab compile NAME [options]

Cuts the slides of a dataset into shards, one a slide, with an index, a report and a card beside them. Run again after
an interrupt or a failure, it continues where it stopped. NAME is a definition in data-manifests/, or a .json file;
\`pathlab fetch NAME\` downloads its slides. Or NAME is your own: a folder of slides, a folder with
a folder of images for each class, or a table of patches (.csv). What was understood of it is printed.

Several machines with one shared folder: run each of --part 1/N to --part N/N somewhere, then --finish once.

  --plan             only say what there is to do: slides, patches, bytes, hours
  --part K/N         compiles only the slides of part K of N, and writes no index
  --finish           writes index, report and card when all parts have ended
  --workers N        slides under way at a time (one a core, at most 4)
  --reader-memory M  MiB that the processes which read files usually hold, all together (640, which with the command itself
                     stays under 1 GiB for one slide under way): as many run as there are cores, or as fit
  --max-failures N   slides that may fail before all stops (20), entries of the list that are wrong among them
  --size PX          side of precut patches' images: others are resized (as they are, all of one size)
  --tile PX          cuts images of any shape into square patches of this side; those of an image stay together in splits
  --stride PX        from one tile to the next (the side)
  --edge WHAT        shift: a last tile is moved inwards, so that nothing is left over; or drop (shift)
  --tissue SHARE     of a patch that must be tissue, 0 to 1: of slides (the definition's) and of tiles (0)
  --lossless         keeps precut patches as PNG, so that no value changes: shards become some five times as large
  --seed TEXT        decides which patches of a slide are drawn (0)
  --max-patches N    patches of a slide, at most (the definition's; "all" for no limit)
  --limit N          only N slides, drawn by their names, as \`pathlab fetch --limit\`
  --source FOLDER    where \`pathlab fetch\` put the files (data/NAME/source)
  --from FOLDER      the folder that holds the files, for a dataset that its users download themselves
  --remove-orphans    removes shards of slides that are no longer in the list
  --data FOLDER      where the shards go, in a folder of the dataset's name (data)
`;

/**
 * The command `pathlab compile`.
 *
 * @param words what follows `compile` on the command line
 * @returns the exit code: 0, 1 when slides failed or entries of the list are wrong, or 130 when it was interrupted
 * @throws UsageError for what a user can act on, in few lines
 */
export async function compile(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) {
    throw new UsageError('compile takes one NAME (see pathlab compile --help)');
  }
  const wanted = { out: values.source, from: values.from, limit: wholeNumber('limit', values.limit) };
  const options: CompileDatasetOptions = {
    data: values.data,
    workers: wholeNumber('workers', values.workers),
    maxFailures: wholeNumber('max-failures', values['max-failures'], 0),
    size: wholeNumber('size', values.size),
    tile: wholeNumber('tile', values.tile),
    stride: wholeNumber('stride', values.stride),
    edge: values.edge as CompileDatasetOptions['edge'],
    minimumTissue: share('tissue', values.tissue),
    lossless: values.lossless,
    seed: seedOf(values.seed ?? '0'),
    removeOrphans: values['remove-orphans'],
    maxPatchesPerSlide: values['max-patches'] === 'all' ? null : wholeNumber('max-patches', values['max-patches']),
    onProgress: ({ slide, outcome, reason, done, total }) =>
      console.error(`${done} of ${total}: ${slide} ${outcome}${reason === undefined ? '' : `: ${reason}`}`),
    onWait: (reason) => console.error(reason),
  };
  const part = values.part === undefined ? undefined : partOf(values.part);
  if (part && values.finish) throw new UsageError('--part compiles and --finish writes the index: take one of them');
  const readerMemory = wholeNumber('reader-memory', values['reader-memory']);
  if (readerMemory !== undefined) limitReaders(readerMemory);
  return interruptible('compile', async (signal) => {
    const named = await nameData(name, { data: values.data, signal });
    if (named.kind === 'shards') throw new UsageError(`${name} is compiled already: it holds index.arrow`);
    for (const sentence of named.understood) console.error(sentence);
    const dataset = await resolveDataset(named.definition, {
      ...wanted,
      signal,
      onPage: printListPage,
      onListRetry: printListRetry,
    });
    const { definition } = dataset;
    const { ready: slides, missing } = slidesOnDisk(dataset);
    if (values.plan) {
      console.log(describePlan(planCompile(dataset, options)));
      console.log(`missing   ${missing.length} ${definition.unit} are not in ${dataset.folder} as they arrived`);
      return 0;
    }
    const what = definition.unit;
    const faulty = printExcluded(dataset.lock);
    if (missing.length > 0) {
      const some = `${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}`;
      console.error(
        `${missing.length} ${what} are not in ${dataset.folder} as they arrived (${some}); ` +
          `\`pathlab fetch ${name}\` brings them`,
      );
    }
    const { excluded, listSha256 } = dataset.lock;
    const input = { definition, slides, excluded, listSha256 };
    if (part) {
      const { folder, shards, failures } = await compilePart(input, part, { ...options, signal });
      console.log(`part ${values.part}: ${shards} shards; ${failures.length} failed`);
      console.log(folder);
      return failures.length > 0 || missing.length > 0 || faulty > 0 ? 1 : 0;
    }
    const write = values.finish ? finishDataset : compileDataset;
    const { folder, report, orphans, removed } = await write(input, { ...options, signal });
    for (const { slide, words } of disagreements(report)) {
      console.error(`${slide}: the size of its pixels is in doubt: ${words}`);
    }
    for (const slide of report.slides) {
      if (!('withoutArea' in slide) || slide.withoutArea === 0) continue;
      console.error(`${slide.slide}: annotations without area, passed over: ${slide.withoutArea}`);
    }
    if (removed.length > 0) {
      console.error(`shards of an earlier list that were removed from ${folder}: ${someOf(removed)}`);
    }
    if (orphans.length > 0) {
      console.error(
        `tar files in ${folder} that are not of what was compiled now: ${someOf(orphans)}. index.arrow leaves them out, ` +
          'but whoever reads *.tar there reads them too: --remove-orphans removes those that are shards, and others are ' +
          'for you to delete',
      );
    }
    if (named.understood.length > 0) {
      for (const sentence of describeData(await openShardDataset(folder), named.groupColumn)) console.error(sentence);
    }
    const { counts, precut, failures } = report;
    for (const { slide, reason } of precut ? failures : []) console.error(`${slide} failed: ${reason}`);
    const of = precut ? `${precut.copied} copied, ${precut.encoded} re-encoded` : `of ${report.slides.length} slides`;
    console.log(`${counts.patches} patches ${precut ? `(${of})` : of}; ${failures.length} failed`);
    console.log(folder);
    return report.failures.length > 0 || missing.length > 0 || faulty > 0 ? 1 : 0;
  });
}

function partOf(words: string): CompilePart {
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(words) ?? [];
  if (number && of && +number >= 1 && +number <= +of) return { number: +number, of: +of };
  throw new UsageError(`--part takes K/N, as 3/8 of eight parts; got ${words}`);
}

/** How many names, and the first of them. */
function someOf(names: readonly string[]): string {
  return `${names.length} (${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''})`;
}

function limitReaders(mebibytes: number): void {
  try {
    setReaderMemory(mebibytes * 2 ** 20);
  } catch (error) {
    throw new UsageError(`--reader-memory ${mebibytes}: ${(error as Error).message}`);
  }
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  return parseOptions('compile', {
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      plan: { type: 'boolean' },
      workers: text,
      'reader-memory': text,
      'max-failures': text,
      part: text,
      finish: { type: 'boolean' },
      seed: text,
      'max-patches': text,
      size: text,
      tile: text,
      stride: text,
      edge: text,
      tissue: text,
      lossless: { type: 'boolean' },
      limit: text,
      'remove-orphans': { type: 'boolean' },
      source: text,
      from: text,
      data: text,
    },
  });
}
