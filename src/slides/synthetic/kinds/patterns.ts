import { fromMiddleOfBand, type TissueKind } from './kind.js';

/** Kinds named for one pattern of growth each. */
export const patternKinds: readonly TissueKind[] = [
  {
    name: 'acinar',
    about: 'round glands: a ring of basal nuclei around a lumen, stroma between the glands',
    elongation: 1.3,
    orientation: 'across',
    arrange(lattice, x, y, place) {
      const { first, second } = lattice.nearest(x, y, 72, 0.17);
      const radius = first * (1 + 0.16 * lattice.noise(x / 22, y / 22));
      place.lumen = -radius;
      place.stroma = radius - 0.35 * (second - first);
      place.nuclei = place.stroma;
    },
  },
  {
    name: 'cribriform',
    about: 'sheets of epithelium punched by many small round lumina',
    elongation: 1.15,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const sheet = lattice.nearest(x + 900, y + 700, 104, 0.16);
      const fromEdge = (sheet.second - sheet.first) / 2;
      const hole = lattice.nearest(x, y, 27, 0.2);
      place.stroma = -fromEdge;
      place.lumen = -hole.first - 1.2 * Math.max(0, 17 - fromEdge);
      place.nuclei = 0.25 * hole.first;
    },
  },
  {
    name: 'nested',
    about: 'solid nests, packed with nuclei and split from thin septa of stroma by clefts',
    elongation: 1.15,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const wave = 5 * lattice.noise(x / 18, y / 18);
      const nest = lattice.nearest(x + wave, y - wave, 66, 0.2);
      const fromEdge = (nest.second - nest.first) / 2;
      place.stroma = -fromEdge;
      place.lumen = -Math.abs(fromEdge - 5.5) + 3 * lattice.noise(x / 30 + 40, y / 30);
      place.nuclei = 0.2 * fromEdge;
    },
  },
  {
    name: 'rosette',
    about: 'rosettes: long nuclei pointing at a fibrillar core, gaps where rosettes meet',
    elongation: 1.9,
    orientation: 'across',
    arrange(lattice, x, y, place) {
      const { first, second } = lattice.nearest(x, y, 68, 0.17);
      const radius = first * (1 + 0.12 * lattice.noise(x / 20, y / 20));
      place.stroma = -radius;
      place.lumen = radius - 0.5 * (second - first);
      place.nuclei = -radius;
    },
  },
  {
    name: 'trabecular',
    about: 'cords of cells side by side, with slits in the stroma between them',
    elongation: 1.25,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const bent = y + 22 * lattice.noise(x / 75, y / 75) + 3 * lattice.noise(x / 17, y / 17);
      const fromCord = fromMiddleOfBand(bent, 46);
      place.stroma = fromCord;
      place.lumen = fromCord + 3.5 * lattice.noise(x / 26 + 80, bent / 46);
      place.nuclei = -fromCord;
    },
  },
  {
    name: 'papillary',
    about: 'fronds: cores of stroma clad in one layer of nuclei, open space between the fronds',
    elongation: 1.4,
    orientation: 'across',
    arrange(lattice, x, y, place) {
      const bent = y + 40 * lattice.noise(x / 62, y / 62) + 5 * lattice.noise(x / 20, y / 20);
      const fromCore = fromMiddleOfBand(bent, 84);
      place.stroma = -fromCore;
      place.lumen = fromCore;
      place.nuclei = -fromCore;
    },
  },
  {
    name: 'diffuse',
    about: 'nuclei spread evenly with no order, as in lymphoid tissue',
    elongation: 1.05,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      place.stroma = 7 * lattice.noise(x / 11, y / 11);
      // Two lattices at an angle to each other: one alone would give square holes.
      const turnedX = (0.8 * x - 0.6 * y) / 14;
      const turnedY = (0.6 * x + 0.8 * y) / 14;
      place.lumen = 5 * (lattice.noise(x / 14 + 50, y / 14 + 90) + lattice.noise(turnedX, turnedY));
      place.nuclei = 0;
    },
  },
  {
    name: 'fascicular',
    about: 'bundles of spindle cells: long nuclei that follow one flowing direction',
    elongation: 3.4,
    orientation: 'along',
    arrange(lattice, x, y, place) {
      const bent = y + 46 * lattice.noise(x / 130, y / 130);
      place.stroma = 6 * lattice.noise(x / 75, bent / 8);
      place.lumen = 6 * lattice.noise(x / 60 + 30, bent / 9 + 120);
      place.nuclei = 0;
    },
  },
];
