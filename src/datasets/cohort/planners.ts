import type { BlockValues, Lesion } from '../../slides/index.js';
import type { CohortKind } from './options.js';
import type { CohortPlanner, PlannedPatient } from './plan.js';

/**
 * Which synthetic kind stands for which class of PTCGA200: kinds that borrow something of the organ's plan, and nothing
 * of its color.
 */
export const tissueOfOrgan: Readonly<Record<string, string>> = {
  adrenal_gland: 'rosette',
  bile_liver: 'trabecular',
  bladder: 'papillary',
  brain: 'cuffed',
  breast: 'cribriform',
  cervix_uteri: 'stratified',
  colon_rectum_small_intestine: 'crypts',
  corpus_uteri: 'fascicular',
  esophagus: 'whorled',
  kidney: 'tubular',
  lung: 'lacunar',
  lymph_node: 'diffuse',
  ovary: 'storiform',
  pancreas: 'lobular',
  prostate: 'acinar',
  skin: 'nested',
  stomach: 'vacuolated',
  testis: 'seminiferous',
  thymus: 'corticomedullary',
  thyroid: 'follicular',
};

const twoDigits = (number: number) => String(number).padStart(2, '0');
const threeDigits = (number: number) => String(number).padStart(3, '0');
const noMask: BlockValues = { stroma: 0, epithelium: 0 };

const pixelSizes = [0.5, 0.46, 0.54, 0.5, 0.52];

/**
 * Slides of one organ each. As in TCGA a class comes mostly from a few sites: half of its patients from one, the others
 * from two more. Whoever tells the site by its colors has half told the class. So many sites, since then with all classes
 * sites and classes go together as in TCGA: of two patients of one site, 36 in 100 have the same study there, where
 * hospitals are taken for sites (98 by the barcode's site code), and 33 here; of two sites, 4 there and 2 here
 * (`test/datasets/synthetic-dataset.test.ts` counts them).
 */
const ptcga200: CohortPlanner = {
  form: 'One organ a slide; as in TCGA, a class comes mostly from a few sites.',
  sites: Array.from({ length: 20 }, (_, place) => ({
    id: twoDigits(place + 1),
    umPerPixel: pixelSizes[place % pixelSizes.length]!,
  })),
  patients({ patients, classes }, siteIds) {
    const steps = [0, 0, 1, 2];
    return classes.flatMap((name, label) =>
      Array.from({ length: patients }, (_, number): PlannedPatient => {
        const site = siteIds[(label + steps[number % steps.length]!) % siteIds.length]!;
        // In the form of a TCGA barcode: the second field is the site.
        const id = `SYN-${site}-${twoDigits(label)}${twoDigits(number + 1)}`;
        return {
          id,
          site,
          class: name,
          slideId: (slide) => `${id}-DX${slide}`,
          tissue: { outline: 'piece', cores: 1, kind: kindOf(name), mask: noMask, lesions: [] },
          mask: false,
          annotation: false,
        };
      }),
    );
  },
};

function kindOf(name: string): string {
  const kind = tissueOfOrgan[name];
  if (!kind) throw new Error(`there is no synthetic tissue for the class "${name}"`);
  return kind;
}

/** Lymph nodes; every second one with two tumors, in the larger of which a hole is left. */
const pcam200: CohortPlanner = {
  form:
    "Lymph nodes, half of them with two tumors. The polygons are ASAP XML as Camelyon's; the larger tumor has a hole of " +
    'normal tissue.',
  sites: [
    { id: 'radboudumc', umPerPixel: 0.5 },
    { id: 'umc-utrecht', umPerPixel: 0.46 },
  ],
  patients({ patients }, siteIds) {
    const tumors = ['cribriform', 'nested', 'acinar', 'lobular', 'trabecular'];
    const lesion = (kind: string, share: number, holeGroup: string | null): Lesion => ({
      kind,
      group: '_0',
      share,
      holeGroup,
      mask: noMask,
    });
    return Array.from({ length: 2 * patients }, (_, index): PlannedPatient => {
      const number = Math.floor(index / 2);
      const isTumor = index % 2 === 1;
      const kind = tumors[number % tumors.length]!;
      const id = `synthetic_${isTumor ? 'tumor' : 'normal'}_${threeDigits(number + 1)}`;
      return {
        id,
        site: siteIds[number % siteIds.length]!,
        class: null,
        slideId: (slide) => (slide === 1 ? id : `${id}_${slide}`),
        tissue: {
          outline: 'piece',
          cores: 1,
          kind: 'diffuse',
          mask: noMask,
          lesions: isTumor ? [lesion(kind, 0.26, '_2'), lesion(kind, 0.1, null)] : [],
        },
        mask: false,
        annotation: isTumor,
      };
    });
  },
};

/** Gleason patterns of a biopsy and the shares of it that they cover, by ISUP grade group. */
const gradeGroups: readonly (readonly (readonly [pattern: 3 | 4 | 5, share: number])[])[] = [
  [],
  [[3, 0.4]],
  [
    [3, 0.3],
    [4, 0.2],
  ],
  [
    [4, 0.3],
    [3, 0.2],
  ],
  [[4, 0.5]],
  [
    [4, 0.3],
    [5, 0.3],
  ],
];
const patternKinds = { 3: 'acinar', 4: 'cribriform', 5: 'nested' } as const;

/** Prostate biopsies of two cores: benign glands, and lengths of the patterns of grade groups 0 to 5 in turn. */
const biopsies: Omit<CohortPlanner, 'sites'> = {
  form:
    "Biopsies of two cores, benign glands and lengths of Gleason patterns. Masks have the provider's values, Radboud's 0 " +
    "background, 1 stroma, 2 benign, 3 to 5 the patterns; Karolinska's 1 benign, 2 cancer.",
  patients({ patients }, siteIds) {
    return Array.from({ length: patients }, (_, number): PlannedPatient => {
      const site = siteIds[number % siteIds.length]!;
      // Radboud's masks tell stroma from glands and the patterns apart, Karolinska's only benign from cancer.
      const values = (gland: 2 | 3 | 4 | 5): BlockValues =>
        site === 'radboud'
          ? { stroma: 1, epithelium: gland }
          : { stroma: gland > 2 ? 2 : 1, epithelium: gland > 2 ? 2 : 1 };
      const id = `synthetic_biopsy_${threeDigits(number + 1)}`;
      // A site has every grade, not only the even ones.
      const grade = Math.floor(number / siteIds.length) % gradeGroups.length;
      return {
        id,
        site,
        class: null,
        slideId: (slide) => (slide === 1 ? id : `${id}_${slide}`),
        tissue: {
          outline: 'cores',
          cores: 2,
          kind: 'seminiferous',
          mask: values(2),
          lesions: gradeGroups[grade]!.map(([pattern, share]) => ({
            kind: patternKinds[pattern],
            group: `gleason_${pattern}`,
            share,
            holeGroup: null,
            mask: values(pattern),
          })),
        },
        mask: true,
        annotation: false,
      };
    });
  },
};

const radboud = { id: 'radboud', umPerPixel: 0.48 };

/** By the name of the definition whose form a synthetic dataset takes. */
export const planners = {
  ptcga200,
  pcam200,
  segpanda200: { ...biopsies, sites: [radboud] },
  'segpanda200-both-providers': { ...biopsies, sites: [radboud, { id: 'karolinska', umPerPixel: 0.5 }] },
} as const satisfies Record<CohortKind, CohortPlanner>;
