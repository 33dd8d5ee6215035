import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { canonicalJson, projectRoot, writeFileAtomic } from '../base/index.js';
import { listRuns, type Metric } from '../runs/index.js';
import { galleryStyle } from './gallery-style.js';
import { escapeMarkup as text } from './html.js';
import { duration } from './progress.js';
import { type RunSummary, summarizeRun } from './run-summary.js';

/** The runs of one notebook at one scale with the same parameters except the seed; the latest first. */
interface Experiment {
  runs: readonly RunSummary[];
  /** The latest that is finished and not edited, else the latest that is finished, else the latest. */
  shown: RunSummary;
}

/** What a gallery says besides its runs. */
export interface GalleryWords {
  title: string;
  /** The command that writes it. */
  command: string;
  /** Links under the title. */
  links: readonly GalleryLink[];
  /** Links and tags of a run's card, by the name of its folder. */
  ofRun?: (name: string) => { links: readonly GalleryLink[]; tags: readonly string[] };
}

export interface GalleryLink {
  label: string;
  /** Relative to the gallery. */
  href: string;
}

/**
 * Writes `results/index.html`: one self-contained page of all runs, with a card for each experiment, which shows its
 * latest finished run and lists the others.
 *
 * @returns the page's path
 */
export async function writeGallery({ root = projectRoot }: { root?: string } = {}): Promise<string> {
  const page = join(root, 'results', 'index.html');
  const links = existsSync(join(root, 'results', apiLink.href)) ? [apiLink] : [];
  const words = { title: 'pathlab results', command: 'npx --no-install pathlab gallery', links };
  await writeFileAtomic(page, galleryPage(listRuns(root), words, root));
  return page;
}

/** Where `writeApiPages` puts its first page, from the gallery. */
export const apiLink: GalleryLink = { label: 'API of the package', href: 'api/index.html' };

/** The page of these run folders, which are in `runs/` beside it. */
export function galleryPage(folders: readonly string[], words: GalleryWords, root = projectRoot): string {
  return pageOfExperiments(experimentsOf(folders.map((folder) => summarizeRun(folder, root))), words);
}

function experimentsOf(runs: readonly RunSummary[]): Experiment[] {
  const experiments = new Map<string, RunSummary[]>();
  for (const run of [...runs].sort((one, other) => other.time - one.time || other.attempt - one.attempt)) {
    const { seed: _, ...rest } = run.parameters;
    const name = canonicalJson([run.notebook, run.scale, rest]);
    experiments.set(name, [...(experiments.get(name) ?? []), run]);
  }
  const order = ({ shown }: Experiment) => `${shown.notebook} ${['demo', 'paper', 'smoke'].indexOf(shown.scale)}`;
  return [...experiments.values()]
    .map((all) => ({ runs: all, shown: all.find(isGenuine) ?? all.find(isFinished) ?? all[0]! }))
    .sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

const isFinished = ({ status }: RunSummary) => status === 'finished';
const isGenuine = (run: RunSummary) => isFinished(run) && !run.edited;

function pageOfExperiments(experiments: readonly Experiment[], { title, command, links, ofRun }: GalleryWords): string {
  const body =
    experiments.length > 0
      ? experiments.map((experiment) => card(experiment, ofRun)).join('\n')
      : '<p class="empty">No notebook has been run yet. <code>npm start</code> runs them all.</p>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${text(title)}</title>
<style>${galleryStyle}</style>
</head>
<body>
<header>
<h1>${text(title)}</h1>
<p>Every experiment with its latest finished run. Every number comes from a run's own <code>metrics.json</code>; each title links to the run's page.</p>${linkList(links)}
</header>
<main>
${body}
</main>
<footer>Written ${text(new Date().toISOString())} by <code>${text(command)}</code></footer>
</body>
</html>
`;
}

function linkList(links: readonly GalleryLink[]): string {
  const anchors = links.map(({ label, href }) => `<a href="${text(href)}">${text(label)}</a>`);
  return anchors.length > 0 ? `\n<p class="links">${anchors.join(' ')}</p>` : '';
}

function card({ runs, shown: run }: Experiment, ofRun: GalleryWords['ofRun']): string {
  const more = ofRun?.(basename(run.folder));
  const title = run.page ? `<a href="${pageOf(run)}">${text(run.title)}</a>` : text(run.title);
  const facts = [
    `<span class="tag ${run.status}">${run.status}</span>`,
    ...(run.edited ? ['<span class="tag edited">edited: differs from the saved notebook</span>'] : []),
    ...(more?.tags ?? []).map((tag) => `<span class="tag edited">${text(tag)}</span>`),
    `<span class="tag">${text(run.scale)} scale</span>`,
    ...(run.synthetic ? ['<span class="tag synthetic">includes synthetic tissue</span>'] : []),
    ...(run.seconds === undefined ? [] : [`<span>${duration(run.seconds)}</span>`]),
    timeElement(run),
  ];
  const seeds = runsOfSeeds(runs, run);
  const others = runs.filter((each) => each !== run);
  return `<article>
<h2>${title}</h2>
<p class="facts">${facts.join(' ')}</p>
<p class="parameters">${text(describeParameters(run))}</p>
${run.problems.map((problem) => `<pre class="problem" role="alert">${text(problem)}</pre>`).join('\n')}
<div class="content">
${run.figure ? `<img src="data:image/png;base64,${text(run.figure.png)}" alt="${text(run.figure.alt)}">` : ''}
${run.metrics.length > 0 ? `<dl>${run.metrics.map(number).join('')}</dl>` : ''}
</div>
${seeds.length > 1 ? seedTable(seeds) : ''}
${others.length > 0 ? `<details><summary>${others.length} other ${others.length > 1 ? 'runs' : 'run'}</summary><ul>${others.map((other) => otherRun(other, ofRun?.(basename(other.folder)).tags)).join('')}</ul></details>` : ''}
<p class="folder"><code>${text(basename(run.folder))}</code></p>${linkList(more?.links ?? [])}
</article>`;
}

const pageOf = ({ folder }: RunSummary) => `runs/${encodeURIComponent(basename(folder))}/notebook.html`;

function timeElement({ time }: RunSummary): string {
  if (time === 0) return '<span>at an unknown time</span>';
  return `<time datetime="${new Date(time).toISOString()}">${day(time)}</time>`;
}

function describeParameters({ parameters }: RunSummary): string {
  // Only the last parts of a path, so that paths of this machine stay private; a value may be several with commas between.
  const endOfPath = (path: string) => path.trim().split('/').slice(-2).join('/');
  const words = (value: unknown) =>
    typeof value === 'string' ? value.split(',').map(endOfPath).join(', ') : JSON.stringify(value);
  const given = Object.entries(parameters).filter(([name, value]) => name !== 'scale' && value !== null);
  return given.map(([name, value]) => `${name} ${words(value)}`).join(', ');
}

/** The latest finished run of each seed, of the same code as the run that is shown. */
function runsOfSeeds(runs: readonly RunSummary[], shown: RunSummary): RunSummary[] {
  const bySeed = new Map<unknown, RunSummary>();
  for (const run of runs) {
    const fits = isGenuine(run) && run.code !== undefined && run.code === shown.code;
    const { seed } = run.parameters;
    if (fits && seed !== undefined && !bySeed.has(seed)) bySeed.set(seed, run);
  }
  return [...bySeed.values()].sort((one, other) => Number(one.parameters.seed) - Number(other.parameters.seed));
}

/** Each metric's mean and standard deviation over seeds, and each seed's value. */
function seedTable(runs: readonly RunSummary[]): string {
  const rows = runs[0]!.metrics.flatMap(({ name, unit }) => {
    const values = runs.map(({ metrics }) => metrics.find((metric) => metric.name === name)?.value);
    if (!values.every((value): value is number => value !== undefined)) return [];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    const cells = [`${short(mean)}${unit ? ` ${unit}` : ''}`, short(deviation), ...values.map(short)];
    return [`<tr><th scope="row">${text(name)}</th>${cells.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`];
  });
  const heads = runs.map((run) => {
    const seed = `seed ${text(String(run.parameters.seed))}`;
    return `<th scope="col">${run.page ? `<a href="${pageOf(run)}">${seed}</a>` : seed}</th>`;
  });
  return `<div class="seeds"><table><thead><tr><th scope="col">${runs.length} seeds</th><th scope="col">mean</th><th scope="col">standard deviation</th>${heads.join('')}</tr></thead>
<tbody>${rows.join('')}</tbody></table></div>`;
}

function otherRun(run: RunSummary, tags: readonly string[] = []): string {
  const attempt = run.attempt > 1 ? `attempt ${run.attempt}` : '';
  const facts = [describeParameters(run), attempt, run.edited ? 'edited' : '', ...tags];
  const name = facts.filter(Boolean).join(', ');
  const label = text(name || basename(run.folder));
  const problem = run.problems[0] ? `: ${text(run.problems[0].split('\n')[0]!)}` : '';
  return `<li><span class="${run.status}">${run.status}</span> ${run.page ? `<a href="${pageOf(run)}">${label}</a>` : label} ${timeElement(run)}${problem}</li>`;
}

function number({ name, value, interval, unit, about }: Metric): string {
  const unitText = unit ? ` ${unit}` : '';
  const range = interval
    ? `<span class="interval">95 % interval ${text(short(interval[0]))} to ${text(short(interval[1]))}${text(unitText)}</span>`
    : '';
  const note = about ? `<span class="about">${text(about)}</span>` : '';
  return `<div><dt>${text(name)}</dt><dd><strong>${text(short(value))}${text(unitText)}</strong>${range}${note}</dd></div>`;
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}
