import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of public lists beside the project; undefined where it is not there. */
export const facts = [fileURLToPath(new URL('../../../shared/data/facts', import.meta.url))].find(existsSync);

/** Rows of a table with a header, as objects. */
export function rowsOf(name: string, separator: string): Record<string, string>[] {
  const [head, ...lines] = readFileSync(join(facts!, name), 'utf8').trim().split(/\r?\n/);
  const names = head!.split(separator);
  return lines.map((line) => {
    const cells = line.split(separator);
    return Object.fromEntries(names.map((column, index) => [column, cells[index] ?? '']));
  });
}

/** The study's words to the primary site that the GDC gives its cases; enough for a test. */
const sites: [RegExp, string][] = [
  [/glio/i, 'Brain'],
  [/breast/i, 'Breast'],
  [/kidney/i, 'Kidney'],
  [/lung/i, 'Bronchus and lung'],
  [/thyroid/i, 'Thyroid gland'],
  [/prostate/i, 'Prostate gland'],
  [/colon/i, 'Colon'],
  [/rectum/i, 'Rectum'],
  [/stomach/i, 'Stomach'],
  [/liver|cholang/i, 'Liver and intrahepatic bile ducts'],
  [/skin/i, 'Skin'],
  [/ovarian/i, 'Ovary'],
  [/bladder/i, 'Bladder'],
  [/corpus endometrial/i, 'Corpus uteri'],
  [/cervical/i, 'Cervix uteri'],
  [/esophag/i, 'Esophagus'],
  [/pancrea/i, 'Pancreas'],
  [/testicular/i, 'Testis'],
  [/thymoma/i, 'Thymus'],
  [/adren/i, 'Adrenal gland'],
  [/lymphoid/i, 'Lymph nodes'],
];

/** The files endpoint's hits, from the public list of diagnostic slides. */
export function gdcHits() {
  const studies = new Map(rowsOf('tcga_tss_codes.csv', ';').map((row) => [row['TSS Code'], row['Study Name']!]));
  return rowsOf('gdc-diagnostic-slides.tsv', '\t').map((row) => {
    const patient = row.filename!.slice(0, 12);
    const study = studies.get(patient.slice(5, 7)) ?? '';
    const primary_site = sites.find(([pattern]) => pattern.test(study))?.[1] ?? 'Other and ill-defined sites';
    return {
      file_id: row.id!,
      file_name: row.filename!,
      md5sum: row.md5!,
      file_size: Number(row.size),
      cases: [{ submitter_id: patient, primary_site, project: { project_id: 'TCGA' } }],
    };
  });
}
