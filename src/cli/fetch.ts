import { type FetchOptions, fetchDataset, listFacts, resolveDataset } from '../datasets/index.js';
import { checkUrl, type DownloadProgress, gigabytes, redactedUrl } from '../download/index.js';
import { decimal, interruptible, parseOptions, wholeNumber } from './options.js';
import { printExcluded } from './print-excluded.js';
import { printListPage, printListRetry } from './print-list.js';
import { UsageError } from './usage-error.js';

const help = `pathlab fetch NAME [options]

Resolves a dataset's definition to a lock file and downloads the files. After an interrupt or a failure, the same command
continues. NAME is a definition in data-manifests/ or a .json file.

  --plan               only prints what would be downloaded
  --out FOLDER         where the files go (data/NAME/source)
  --from FOLDER        the folder with the files, for a dataset that you download yourself
  --limit N            only N slides, drawn by their names
  --parallel N         files at a time (4)
  --bandwidth X        at most X MB/s
  --disk X             at most X GB of files in all
  --endpoint URL       a mirror that replaces the source's URL
  --redirect-host HOST a host that downloads may be redirected to; can be repeated
  --refresh            lists the source again, even if there is a lock file
  --verify             reads every file, not only changed ones

The environment variable GDC_TOKEN holds the token for controlled-access files of the GDC. It is sent to the GDC only.
`;

/**
 * The command `pathlab fetch`.
 *
 * @param args what follows `fetch` on the command line
 * @returns the exit code: 0, 1 when files failed or entries of the list are wrong, or 130 when it was interrupted
 * @throws UsageError on wrong options, in one line for the user
 */
export async function fetch(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) throw new UsageError('fetch takes one NAME (see pathlab fetch --help)');
  const options: FetchOptions = {
    out: values.out,
    from: values.from,
    endpoint: values.endpoint === undefined ? undefined : address(values.endpoint),
    limit: wholeNumber('limit', values.limit),
    parallel: wholeNumber('parallel', values.parallel),
    bytesPerSecond: decimal('bandwidth', values.bandwidth, 1e6),
    diskBudgetBytes: decimal('disk', values.disk, 1e9),
    redirectHosts: values['redirect-host'],
    refresh: values.refresh,
    everyByte: values.verify,
    onPage: printListPage,
    onListRetry: printListRetry,
    onProgress: printProgress,
  };
  return interruptible('fetch', (signal) => (values.plan ? plan : bring)(name, { ...options, signal }));
}

async function plan(name: string, options: FetchOptions): Promise<number> {
  const dataset = await resolveDataset(name, options);
  const facts = listFacts(dataset);
  console.log(facts.title);
  console.log(`  ${facts.resolution}`);
  console.log(`  slides      ${facts.wanted}${facts.wanted < facts.slides ? ` of ${facts.slides}` : ''}`);
  console.log(`  patients    ${facts.patients}${missing(facts.withoutPatient)}`);
  console.log(`  sites       ${facts.sites}${missing(facts.withoutSite)}`);
  console.log(`  files       ${facts.files}, ${gigabytes(facts.bytes)}`);
  if (options.bytesPerSecond) {
    console.log(`  time        ${(facts.bytes / options.bytesPerSecond / 3600).toFixed(1)} h at the bandwidth given`);
  }
  console.log(`  licence     ${facts.licence}`);
  console.log(`  goes to     ${dataset.out}`);
  for (const leak of facts.split ?? []) {
    console.log(
      `  split       by ${leak.by}, fold ${leak.fold}: train ${leak.train}, validation ${leak.validation}, test ${leak.test}; ` +
        `across splits: ${leak.patientsAcrossSplits} patients, ${leak.sitesAcrossSplits} sites; ` +
        `${(100 * leak.heldOutWithPatientInTraining).toFixed(1)} % of the held-out slides have their patient in training`,
    );
  }
  for (const [label, slides] of Object.entries(facts.classes)) console.log(`  class       ${label}: ${slides}`);
  for (const { reason, slides } of facts.excluded) console.log(`  excluded    ${slides}: ${reason}`);
  for (const note of facts.notes) console.log(`  note        ${note}`);
  return 0;
}

function missing(count: number): string {
  return count > 0 ? ` (${count} slides have none)` : '';
}

async function bring(name: string, options: FetchOptions): Promise<number> {
  const { report, downloads, out, lock } = await fetchDataset(name, options);
  const faulty = printExcluded(lock);
  for (const { path, reason } of report.failed) console.error(`failed: ${path}: ${reason}`);
  console.log(report.resolution);
  const there = downloads.received.length - downloads.fetched;
  console.log(
    `${report.ready} of ${report.wanted} slides are ready: ${downloads.fetched} files downloaded, ${there} already present, ` +
      `${report.failed.length} failed`,
  );
  console.log(out);
  return report.failed.length > 0 || faulty > 0 ? 1 : 0;
}

function printProgress(event: DownloadProgress): void {
  const { path, bytes } = event;
  if (event.kind === 'done') console.error(`done: ${path} (${gigabytes(bytes)})`);
  else if (event.kind === 'retry') {
    console.error(`${path}: ${event.reason}; again in ${event.waitSeconds.toFixed(1)} s`);
  } else if (event.kind === 'receiving') console.error(`${path}: ${((100 * event.received) / bytes).toFixed(0)} %`);
}

function parsed(args: readonly string[]) {
  return parseOptions('fetch', {
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      plan: { type: 'boolean' },
      out: { type: 'string' },
      from: { type: 'string' },
      limit: { type: 'string' },
      parallel: { type: 'string' },
      bandwidth: { type: 'string' },
      disk: { type: 'string' },
      endpoint: { type: 'string' },
      'redirect-host': { type: 'string', multiple: true },
      refresh: { type: 'boolean' },
      verify: { type: 'boolean' },
    },
  });
}

function address(text: string): string {
  try {
    const { search, hash } = checkUrl(text);
    if (search || hash) throw new RangeError(`${redactedUrl(text)}: an endpoint has no query or fragment`);
    return text;
  } catch (error) {
    throw new UsageError(`--endpoint takes a URL: ${(error as Error).message}`);
  }
}
