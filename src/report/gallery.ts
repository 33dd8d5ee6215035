import { basename, join } from 'node:path';
import { listRuns, type Metric, projectRoot, writeFileAtomic } from '../runs/index.js';
import { galleryStyle } from './gallery-style.js';
import { escapeMarkup as text } from './html.js';
import { duration } from './progress.js';
import { type RunSummary, summarizeRun } from './run-summary.js';

/**
 * Writes `results/index.html`: one page, with everything that it shows inside it, of the latest run of each notebook
 * at each scale.
 *
 * @returns the page's path
 */
export async function writeGallery({ root = projectRoot }: { root?: string } = {}): Promise<string> {
  const page = join(root, 'results', 'index.html');
  const runs = latestOfEach(listRuns(root).map((folder) => summarizeRun(folder, root)));
  await writeFileAtomic(page, galleryPage(runs));
  return page;
}

function latestOfEach(runs: readonly RunSummary[]): RunSummary[] {
  const latest = new Map<string, RunSummary>();
  for (const run of [...runs].sort((one, other) => one.time - other.time)) {
    latest.set(`${run.notebook} ${run.scale}`, run);
  }
  const order = (run: RunSummary) => `${run.notebook} ${['demo', 'paper', 'smoke'].indexOf(run.scale)}`;
  return [...latest.values()].sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

function galleryPage(runs: readonly RunSummary[]): string {
  const body =
    runs.length > 0
      ? runs.map(card).join('\n')
      : '<p class="empty">No notebook has been run yet. <code>npm start</code> runs them all.</p>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>pathlab results</title>
<style>${galleryStyle}</style>
</head>
<body>
<header>
<h1>pathlab results</h1>
<p>The latest run of each notebook at each scale. Every number comes from the run's own <code>metrics.json</code>; the
page behind each title shows how it was made.</p>
</header>
<main>
${body}
</main>
<footer>Written ${text(new Date().toISOString())} by <code>npx --no-install pathlab gallery</code></footer>
</body>
</html>
`;
}

function card(run: RunSummary): string {
  const folder = encodeURIComponent(basename(run.folder));
  const title = run.page ? `<a href="runs/${folder}/notebook.html">${text(run.title)}</a>` : text(run.title);
  const facts = [
    `<span class="tag ${run.status}">${run.status}</span>`,
    `<span class="tag">${text(run.scale)} scale</span>`,
    ...(run.synthetic ? ['<span class="tag synthetic">includes synthetic tissue</span>'] : []),
    ...(run.seconds === undefined ? [] : [`<span>${duration(run.seconds)}</span>`]),
    `<time datetime="${new Date(run.time).toISOString()}">${day(run.time)}</time>`,
  ];
  return `<article>
<h2>${title}</h2>
<p class="facts">${facts.join(' ')}</p>
${run.problems.map((problem) => `<pre class="problem" role="alert">${text(problem)}</pre>`).join('\n')}
<div class="content">
${run.figure ? `<img src="data:image/png;base64,${text(run.figure.png)}" alt="${text(run.figure.alt)}">` : ''}
${run.metrics.length > 0 ? `<dl>${run.metrics.map(number).join('')}</dl>` : ''}
</div>
<p class="folder"><code>${text(basename(run.folder))}</code></p>
</article>`;
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
