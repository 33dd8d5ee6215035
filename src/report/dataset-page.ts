import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CompiledDataset,
  type CompileReport,
  countsByName,
  type DatasetDefinition,
  type DatasetGeometry,
  describeSplit,
  ignoredValues,
  knownNames,
  listFacts,
  subjectOf,
} from '../datasets/index.js';
import type { CompileExperiment, ExperimentDataset } from '../experiments/index.js';
import { showChart } from './chart.js';
import { countsChart } from './counts-chart.js';
import { showBundle, showText } from './display.js';
import { formatValue, showTable } from './table.js';

// What dataset pages show: a definition, its list and the compiled dataset.

type Fact = { what: string; value: string };

const showFacts = (title: string, facts: readonly Fact[]) => showTable(facts, { columns: { what: title, value: '' } });

/** Sources, labels, geometry, split, exclusions and notes of a dataset. */
export async function showDefinition({ definition, understood }: CompileExperiment): Promise<void> {
  const { name, title, origin, geometry, split, licence, citation, exclusions, notes } = definition;
  await showFacts(name, [
    { what: 'title', value: title },
    { what: 'source', value: origin.name },
    { what: 'patches', value: geometry === null ? 'precut' : describeGeometry(geometry) },
    { what: 'labels', value: describeLabels(definition) },
    { what: 'split', value: describeSplit(split) },
    { what: 'licence', value: licence.name },
    { what: 'citation', value: citation },
    ...exclusions.map(({ id, reason }) => ({ what: `without ${id}`, value: reason })),
    ...[...new Set([...notes, ...understood])].map((value) => ({ what: 'note', value })),
  ]);
}

function describeGeometry({ micrometers, pixels, maxPatchesPerSlide: max, minimumTissue }: DatasetGeometry): string {
  return (
    `${micrometers} um wide, ${pixels} px (${(micrometers / pixels).toFixed(3)} um/px); ` +
    `${max === null ? 'all' : `at most ${max}`} of a slide, each with at least ${100 * minimumTissue} % tissue`
  );
}

/** Where the class of a patch comes from. */
function describeLabels({ labels, unit }: DatasetDefinition): string {
  if (labels.from === 'none') return 'none';
  const names = labels.classes.map(({ name }) => name);
  if (labels.from === 'mask') {
    const ignored = ignoredValues(labels);
    const without = ignored.length > 0 ? `; pixels of the value ${formatValue(ignored)} are ignored` : '';
    return `a mask of ${names.length} classes for each patch (${formatValue(names)}); the patch has the class that covers most of it${without}`;
  }
  if (labels.from === 'annotation') {
    const groups = Object.entries(labels.groups).map(([group, name]) => `${name} in ${group}`);
    return `polygons (${formatValue(groups)}; ${labels.outside} elsewhere); a patch has the class that covers most of it`;
  }
  const unmapped = { exclude: 'others are excluded', error: 'another value is an error' }[labels.unmapped];
  return `one of ${names.length} classes, from the source's label of each ${unit === 'slides' ? 'slide' : 'patch'}; ${unmapped}`;
}

/**
 * The list that a definition was resolved to: whether it was checked, its contents and exclusions; for synthetic slides
 * also how they were drawn.
 */
export async function showSlideList({ list, missing, planted }: ExperimentDataset): Promise<void> {
  const facts = listFacts(list);
  const left = facts.excluded.map(({ reason, slides }) => ({ what: `${slides} excluded`, value: reason }));
  const duplicates = `duplicates of slides under other patients: ${planted.length}; the list excludes identical files only`;
  await showFacts(facts.synthetic ? 'SYNTHETIC' : facts.dataset, [
    { what: 'definition', value: facts.title },
    { what: 'list', value: facts.resolution },
    { what: list.definition.unit, value: `${facts.slides}, ${missing.length} of them missing` },
    { what: 'patients', value: formatValue(facts.patients) },
    { what: 'sites', value: formatValue(facts.sites) },
    ...left,
    ...(facts.synthetic ? facts.notes.map((value) => ({ what: 'drawn', value })) : []),
    ...(planted.length > 0 ? [{ what: 'planted', value: duplicates }] : []),
  ]);
}

/** The result of compiling, and each slide or precut patch that failed, with its reason. */
export async function showCompiled({ counts, slides, precut, failures }: CompileReport): Promise<void> {
  const from = precut
    ? [
        { what: 'copied', value: formatValue(precut.copied) },
        { what: 're-encoded', value: formatValue(precut.encoded) },
        { what: 'shards', value: formatValue(precut.shards) },
      ]
    : [{ what: 'slides', value: formatValue(slides.length) }];
  await showFacts('Compiled', [
    { what: 'patches', value: formatValue(counts.patches) },
    ...(counts.synthetic > 0 ? [{ what: 'of them synthetic', value: formatValue(counts.synthetic) }] : []),
    ...from,
    { what: `${precut ? 'patches' : 'slides'} that failed`, value: formatValue(failures.length) },
    { what: 'JPEG and masks', value: `${(counts.bytes / 2 ** 20).toFixed(1)} MiB` },
    ...failures.map(({ slide, reason }) => ({ what: slide, value: reason })),
  ]);
}

/** How many patches each class, each site or (as a distribution) each patient has; a sentence if none is known. */
export async function showCounts(
  report: CompileReport,
  of: 'class' | 'site' | 'patient',
  options: { save?: string } = {},
): Promise<void> {
  const { byClass, bySite, byPatient } = report.counts;
  const counted = { class: byClass, site: bySite, patient: byPatient }[of];
  const known = knownNames(counted);
  if (known.length === 0) return showText(`The ${of} is not known for any patch.`);
  // Classes without patches are shown, too.
  const none = of === 'class' ? Object.fromEntries(report.classes.map((name) => [name, 0])) : {};
  const counts = { ...none, ...counted };
  const patients = Object.entries(distribution(known.map((name) => counts[name]!)));
  const { spec, alt } = countsChart(of === 'patient' ? patients : countsByName(counts), {
    title:
      of === 'patient'
        ? `Patches of ${known.length} ${known.length === 1 ? 'patient' : 'patients'}`
        : `Patches of each ${of}`,
    subtitle: subjectOf(report),
    of: of === 'patient' ? 'patients' : 'patches',
  });
  await showChart(spec, { alt, ...options });
}

/** Shows the card that lies beside a dataset's shards. */
export async function showDatasetCard({ folder }: CompiledDataset): Promise<void> {
  const card = await readFile(join(folder, 'CARD.md'), 'utf8');
  // Its headings are below those of the page.
  showBundle({ 'text/plain': card, 'text/markdown': card.replace(/^#/gm, '###') });
}

/** More bars would not fit a page. */
const maxBars = 15;

/** How often each number of patches occurs, from the least; of many numbers, how many patients fall into ranges of one width. */
function distribution(numbers: readonly number[]): Record<string, number> {
  const sorted = [...numbers].sort((one, other) => one - other);
  const isFew = new Set(sorted).size <= maxBars;
  const width = isFew ? 1 : Math.ceil(sorted.at(-1)! / maxBars);
  const found: Record<string, number> = {};
  for (const number of sorted) {
    const last = Math.ceil(number / width) * width;
    const name = isFew ? `${number} ${number === 1 ? 'patch' : 'patches'}` : `${last - width + 1} to ${last} patches`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}
