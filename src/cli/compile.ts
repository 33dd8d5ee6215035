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

Cuts the slides of a dataset into shards, one for each slide, and writes an index, a report and a card. After an interrupt
or a failure, the same command continues. NAME is a definition in data-manifests/ or a .json file; \`pathlab fetch NAME\`
downloads its slides. Or NAME is your own data: a folder of slides, a folder with a subfolder of images for each class, or a
table of patches (.csv). The command prints how it interprets your data.

On several machines with a shared folder: run --part 1/N to --part N/N, one on each, then --finish once.

  --plan             only prints the work: slides, patches, bytes, hours
  --part K/N         compiles only the slides of part K of N, and writes no index
  --finish           writes index, report and card after all parts have ended
  --workers N        slides compiled at a time (one for each core, at most 4)
  --reader-memory M  MiB for all processes that read files together (640, with which the command stays under 1 GiB for one
                     slide at a time); one process for each core runs, or as many as fit
  --max-failures N   failed slides and invalid entries of the list after which the command stops (20)
  --size PX          size of precut patches; patches of another size are resized (by default all must have one size)
  --tile PX          cuts images of any shape into square patches of this size; splits keep patches of an image together
  --stride PX        distance from one tile to the next (the tile size)
  --edge WHAT        shift moves the last tile inwards to cover the edge; drop leaves the edge out (shift)
  --tissue SHARE     minimum tissue of a patch, 0 to 1: for slides (the definition's) and tiles (0)
  --lossless         keeps precut patches as PNG, unchanged; shards become about five times as large
  --seed TEXT        seed for drawing a slide's patches (0)
  --max-patches N    maximum number of patches of a slide (the definition's; "all" for no limit)
  --limit N          only N slides, drawn by their names, as in \`pathlab fetch --limit\`
  --source FOLDER    the folder that \`pathlab fetch\` downloaded to (data/NAME/source)
  --from FOLDER      the folder with the files, for a dataset that you download yourself
  --remove-orphans   removes shards of slides that are no longer in the list
  --data FOLDER      parent of the dataset's output folder (data)
`;

/**
 * The command `pathlab compile`.
 *
 * @param args what follows `compile` on the command line
 * @returns the exit code: 0, 1 when slides failed or entries of the list are wrong, or 130 when it was interrupted
 * @throws UsageError with a message for the user
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
  if (part && values.finish) throw new UsageError('--part and --finish exclude each other');
  const readerMemory = wholeNumber('reader-memory', values['reader-memory']);
  if (readerMemory !== undefined) limitReaders(readerMemory);
  return interruptible('compile', async (signal) => {
    const named = await nameData(name, { data: values.data, signal });
    if (named.kind === 'shards') throw new UsageError(`${name} is a compiled dataset already: it has an index.arrow`);
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
      console.log(`missing   ${missing.length} ${definition.unit}, not in ${dataset.folder} or changed`);
      return 0;
    }
    const what = definition.unit;
    const faulty = printExcluded(dataset.lock);
    if (missing.length > 0) {
      const some = `${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}`;
      console.error(
        `${missing.length} ${what} are missing from ${dataset.folder} or were changed (${some}); ` +
          `\`pathlab fetch ${name}\` downloads them`,
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
    const uncertain = disagreements(report);
    for (const { slide, words } of uncertain) console.error(`${slide}: its pixel size is uncertain: ${words}`);
    const { source } = definition;
    if (uncertain.length > 0 && source.kind === 'slides' && source.columns.mpp !== undefined) {
      const counts = source.pixelSize ?? 'file';
      console.error(
        `The ${counts}'s pixel size is used. To use the other, set "pixelSize": ` +
          `"${counts === 'file' ? 'table' : 'file'}" in the definition's source and compile again`,
      );
    }
    for (const slide of report.slides) {
      if (!('withoutArea' in slide) || slide.withoutArea === 0) continue;
      console.error(`${slide.slide}: annotations without area, ignored: ${slide.withoutArea}`);
    }
    if (removed.length > 0) {
      console.error(`removed orphaned shards of an earlier list from ${folder}: ${someOf(removed)}`);
    }
    if (orphans.length > 0) {
      console.error(
        `tar files in ${folder} that do not belong to this compilation: ${someOf(orphans)}. index.arrow leaves them out, ` +
          'but programs that read *.tar there would read them. --remove-orphans removes the shards among them; delete ' +
          'the others yourself',
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
  throw new UsageError(`--part takes K/N, such as 3/8; got ${words}`);
}

/** The number of names, and the first few. */
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
