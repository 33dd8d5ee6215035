import { canonicalJson } from '../../base/index.js';
import { resultsNotebook } from '../../experiments/index.js';
import type { Provenance } from '../../runs/index.js';
import { readOfRun } from '../finished-run.js';
import type { AlteredFile } from './copy-run.js';
import { crateName, idOf, type SiteTitle } from './crate.js';
import type { PublishedCard } from './model-cards.js';

/** A run as a site has it. */
export interface PublishedRun {
  name: string;
  /** Its folder in the site. */
  folder: string;
  marks: readonly string[];
  altered: readonly AlteredFile[];
  cards: readonly PublishedCard[];
}

const cell = (text: unknown) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

/** `README.md` of a site: what is where, how to check and how to cite it, and what was changed in publishing. */
export function siteReadme(
  { title, authors, date }: SiteTitle,
  runs: readonly PublishedRun[],
  { size, withWeights }: { size: string; withWeights: boolean },
): string {
  const changed = runs.flatMap(({ name, altered }) =>
    altered.map(
      ({ file, replaced, original }) => `| ${name}/${file} | ${cell(replacedWords(replaced))} | ${original} |`,
    ),
  );
  const rows = runs.map(({ name, marks, folder, cards }) => {
    const { notebook, scale, runHash } = readOfRun<Provenance>(folder, 'provenance.json');
    const links = cards.map((card) => `[${card.label}](runs/${idOf(name)}/${idOf(card.name)}.html)`);
    return `| ${name} | ${notebook} | ${scale} | ${cell(links.join(', '))} | ${cell(marks.join('; '))} | ${runHash} |`;
  });
  const year = date.slice(0, 4);
  const cited = authors.length > 0 ? `${authors.join(', ')} (${year}). ${title}.` : `${title} (${year}).`;
  return `# ${title}

Runs of pathlab's notebooks: executed, with their numbers, models and provenance. ${size}.

| file | content |
| --- | --- |
| [index.html](index.html) | the gallery: every experiment with its key figure and numbers |
| runs/NAME/ | a run: page, executed notebook, parameters, metrics, events (also for TensorBoard), figures, model cards and provenance |
${withWeights ? '| weights/ | weights by their SHA-256, which model cards link to |\n' : ''}| [results.json](results.json), [results.csv](results.csv) | every number of every run, with interval, unit, parameters, and hashes of code and data |
| [api/index.html](api/index.html) | the API of the package |
| [${crateName}](${crateName}) | an RO-Crate (1.1, profile Process Run Crate): size and SHA-256 of every file, and each run as an action |

## Runs

| folder | notebook | scale | models | note | run hash |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## How to check it

\`\`\`sh
npx --no-install pathlab verify FOLDER
\`\`\`

in a clone of pathlab, with this folder: it compares every file with the crate, and every number of results.json with its
run's metrics. \`--evaluate\` also evaluates the weights again where the data is at hand.

## How to cite it

> ${cited} Published ${date.slice(0, 10)}. SHA-256 of ${crateName}: as \`pathlab verify\` prints it.

Cite a single number with its run hash. The experiments follow "Large-scale pretraining on pathological images for
fine-tuning of small pathological benchmarks" ([arXiv 2303.15693](https://arxiv.org/abs/2303.15693)).

## Changed in publishing

${
  changed.length > 0
    ? `Paths of the machine were replaced in these files; the run's own file has the SHA-256 of the last column.

| file | replaced | SHA-256 of the run's own file |
| --- | --- | --- |
${changed.join('\n')}`
    : 'Nothing: all files are as the runs left them.'
}
`;
}

/** How often what was replaced. */
export const replacedWords = (replaced: AlteredFile['replaced']) =>
  Object.entries(replaced)
    .map(([what, times]) => `${what} (${times})`)
    .join(', ') || 'says what was changed';

/** `LICENSE.md` of a site: what may be done with which part. */
export function siteLicence(runs: readonly PublishedRun[]): string {
  const data = new Map<string, string>();
  for (const { folder } of runs) {
    const { notebook, data: entries } = readOfRun<Provenance>(folder, 'provenance.json');
    // A page of results has no data but the runs beside it.
    if (notebook === resultsNotebook) continue;
    for (const entry of entries) {
      const { origin = entry.name, licence = 'not known' } = entry as Record<string, unknown>;
      data.set(canonicalJson([origin, licence]), `| ${cell(origin)} | ${cell(licence)} |`);
    }
  }
  return `# Licences

Code in the notebooks and the API pages is pathlab's, under the Apache License 2.0, unless a notebook says otherwise.

Weights, figures and predictions follow from the data: what the licences of the data allow is what may be done with them.

| data | licence |
| --- | --- |
${[...data.values()].join('\n')}
`;
}
