import {
  type CompileReport,
  countsByName,
  type DatasetDefinition,
  listFacts,
  type ResolvedDataset,
} from '../datasets/index.js';
import { showChart } from './chart.js';
import { countsChart } from './counts-chart.js';
import { inWords, showTable } from './table.js';

// What the pages of datasets show of a definition, its list, its split and what was compiled of it.

type Fact = { what: string; value: string };

const showFacts = (title: string, facts: readonly Fact[]) => showTable(facts, { columns: { what: title, value: '' } });

/** What a dataset is made of, what is left out, and what a reader must know. */
export async function showDefinition(definition: DatasetDefinition): Promise<void> {
  const { name, title, unit, geometry, split, licence, citation, exclusions, notes } = definition;
  await showFacts(name, [
    { what: 'title', value: title },
    { what: 'patches', value: unit === 'patches' ? 'ready-made' : inWords(geometry) },
    { what: 'split', value: inWords(split) },
    { what: 'licence', value: licence.name },
    { what: 'citation', value: citation },
    ...exclusions.map(({ id, reason }) => ({ what: `without ${id}`, value: reason })),
    ...notes.map((value) => ({ what: 'note', value })),
  ]);
}

/** The list that a definition was resolved to: whether anybody has checked it, what it holds and leaves out. */
export async function showSlideList(dataset: ResolvedDataset, missing: readonly string[]): Promise<void> {
  const facts = listFacts(dataset);
  await showFacts(facts.synthetic ? 'SYNTHETIC' : facts.dataset, [
    { what: 'definition', value: facts.title },
    { what: 'list', value: facts.resolution },
    { what: dataset.definition.unit, value: `${facts.slides}, ${missing.length} of them not here` },
    { what: 'patients', value: inWords(facts.patients) },
    { what: 'sites', value: inWords(facts.sites) },
    ...facts.excluded.map(({ reason, slides }) => ({ what: `${slides} left out`, value: reason })),
  ]);
}

/** What compiling gave, and each slide or ready patch that failed with its reason. */
export async function showCompiled({ counts, slides, ready, failures }: CompileReport): Promise<void> {
  const from = ready
    ? [
        { what: 'taken as they are', value: inWords(ready.asGiven) },
        { what: 'encoded anew', value: inWords(ready.encoded) },
        { what: 'shards', value: inWords(ready.shards) },
      ]
    : [{ what: 'slides', value: inWords(slides.length) }];
  await showFacts('Compiled', [
    { what: 'patches', value: inWords(counts.patches) },
    { what: 'of them synthetic', value: inWords(counts.synthetic) },
    ...from,
    { what: `${ready ? 'patches' : 'slides'} that failed`, value: inWords(failures.length) },
    { what: 'JPEG and masks', value: `${(counts.bytes / 2 ** 20).toFixed(1)} MiB` },
    ...failures.map(({ slide, reason }) => ({ what: slide, value: reason })),
  ]);
}

/** How many patches each class, each site or (as a distribution) each patient has. */
export async function showCounts(
  { counts, dataset }: CompileReport,
  of: 'class' | 'site' | 'patient',
  options: { save?: string } = {},
): Promise<void> {
  const patients = Object.values(counts.byPatient);
  const [values, title, unit] = {
    class: [countsByName(counts.byClass), 'Patches of each class', 'patches'] as const,
    site: [countsByName(counts.bySite), 'Patches of each site', 'patches'] as const,
    patient: [Object.entries(distribution(patients)), `Patches of ${patients.length} patients`, 'patients'] as const,
  }[of];
  const subtitle = counts.synthetic > 0 ? 'SYNTHETIC slides' : dataset;
  const { spec, alt } = countsChart(values, { title, subtitle, of: unit });
  await showChart(spec, { alt, ...options });
}

/** How often each number of patches occurs, from the least. */
function distribution(numbers: readonly number[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const number of [...numbers].sort((one, other) => one - other)) {
    const name = `${number} patches`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}
