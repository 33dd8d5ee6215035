import { canonicalJson, sha256 } from '../base/index.js';
import type { Provenance } from '../runs/index.js';
import { formatValue, showTable } from './table.js';

/** Shows a run's provenance: the command that reproduces it, and the hashes of all inputs. */
export async function showProvenance(provenance: Provenance): Promise<void> {
  await showTable(provenanceRows(provenance), {
    caption: 'Provenance',
    columns: { what: 'What', value: 'Value' },
  });
}

export function provenanceRows(provenance: Provenance): { what: string; value: string }[] {
  const each = (title: string, entries: Record<string, unknown>) =>
    Object.entries(entries).map(([name, value]) => ({ what: `${title}${name}`, value: formatValue(value) }));
  return [
    { what: 'command', value: provenance.command },
    { what: 'seed', value: String(provenance.seed) },
    { what: 'run', value: provenance.runHash },
    { what: 'commit', value: provenance.gitCommit ?? 'not a git checkout' },
    ...attemptRows(provenance),
    { what: 'time', value: `${provenance.started} to ${provenance.ended}` },
    { what: 'device', value: formatValue(provenance.device) },
    { what: 'versions', value: formatValue(provenance.versions) },
    ...each('', provenance.choices),
    ...dataRows(provenance.data),
    ...each('SHA-256 of ', provenance.weights),
    ...each('SHA-256 of ', provenance.hashes),
  ];
}

function attemptRows({ attempt, repeats, edited }: Provenance): { what: string; value: string }[] {
  const cells = edited.map((source) => `${source.split('\n')[0]} ...`).join('; ');
  return [
    ...(edited.length > 0 ? [{ what: 'edited', value: `cells not in the notebook were run: ${cells}` }] : []),
    ...(repeats
      ? [
          {
            what: 'attempt',
            value:
              `${attempt}; files identical to the first attempt's: ${formatValue(repeats.same) || 'none'}; ` +
              `different: ${formatValue(repeats.different) || 'none'}`,
          },
        ]
      : []),
  ];
}

/** Files that a run read that differ only in name and content. */
export interface DataGroup {
  /** Of the only file, or of the first and the last. */
  name: string;
  files: number;
  /** Of the only file, or of the JSON list of their SHA-256, in the order of `provenance.json`. */
  sha256: string;
  /** What they have in common: origin, licence, whether they are synthetic. */
  facts: Readonly<Record<string, unknown>>;
}

/** What a run read, in groups. */
export function dataGroups(data: Provenance['data']): DataGroup[] {
  const alike = new Map<string, { names: string[]; hashes: string[]; facts: Record<string, unknown> }>();
  for (const { name, sha256: hash, ...facts } of data) {
    const group = canonicalJson(facts);
    if (!alike.has(group)) alike.set(group, { names: [], hashes: [], facts });
    alike.get(group)!.names.push(formatValue(name));
    alike.get(group)!.hashes.push(formatValue(hash));
  }
  return [...alike.values()].map(({ names, hashes, facts }) => ({
    name: names.length === 1 ? names[0]! : `${names[0]} … ${names.at(-1)}`,
    files: names.length,
    sha256: names.length === 1 ? hashes[0]! : sha256(canonicalJson(hashes)),
    facts,
  }));
}

/** A row for each file, and a single row for files that differ only in name and content. */
function dataRows(data: Provenance['data']): { what: string; value: string }[] {
  return dataGroups(data).map(({ name, files, sha256: hash, facts }) => {
    if (files === 1) return { what: `data ${name}`, value: formatValue({ ...facts, 'SHA-256': hash }) };
    return {
      what: `data ${name}`,
      value: formatValue({ files, ...facts, 'SHA-256 of the list of their SHA-256 in provenance.json': hash }),
    };
  });
}
