import { fromMiddleOfBand, type TissueKind } from './kind.js';

/** Kinds that borrow the plan of an organ. */
export const organKinds: readonly TissueKind[] = [
  {
    name: 'cuffed',
    about: 'small vessels, each in a cuff of nuclei that thins out into a matrix with few, as in a glial tumor',
    elongation: 1.2,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const bentX = x + 14 * lattice.noise(x / 40, y / 40);
      const { first } = lattice.nearest(0.7 * bentX, y + 14 * lattice.noise(x / 40 + 70, y / 40), 96, 0.2);
      // The vessels, and small gaps in the matrix away from them.
      place.lumen = Math.max(11 - first, 5 * lattice.noise(x / 13, y / 13 + 90) + 0.05 * Math.min(first, 60) - 6);
      // A thin wall around the vessel; the rest of the stroma is a mesh of fibers away from it.
      place.stroma = first < 16 ? 60 - 3 * first : 5 * lattice.noise(x / 7 + 70, y / 7) + 0.3 * Math.min(first, 40);
      place.nuclei = -0.8 * first + 4 * lattice.noise(x / 12, y / 12 + 33);
    },
  },
  {
    name: 'stratified',
    about: 'epithelium in layers: crowded on the stroma, sparse above, flaking off at the top, as in squamous mucosa',
    elongation: 1.5,
    orientation: 'along',
    arrange(lattice, x, y, place) {
      // Pegs of epithelium reach into the stroma.
      const pegs = 11 * lattice.noise(x / 26, 7.5) + 16 * lattice.noise(x / 95 + 20, y / 160);
      const fromStroma = fromMiddleOfBand(y + pegs, 150);
      const fromTop = 75 - fromMiddleOfBand(y + 16 * lattice.noise(x / 95 + 20, y / 160), 150);
      place.stroma = -fromStroma;
      place.lumen = -fromTop + 3 * lattice.noise(x / 24, y / 5 + 60);
      place.nuclei = fromStroma < 32 ? 8 - 0.1 * fromStroma : -0.35 * fromStroma;
    },
  },
  {
    name: 'crypts',
    about: 'straight glands side by side like test tubes, cut along, with thin stroma between them, as in colon',
    elongation: 1.9,
    orientation: 'across',
    arrange(lattice, x, y, place) {
      const bent = y + 8 * lattice.noise(x / 90, y / 90) + 2 * lattice.noise(x / 18, y / 18);
      const row = Math.round(bent / 52);
      const fromAxis = Math.abs(bent - row * 52);
      // Each tube is closed at both ends, at places of its own.
      const along = x + 120 * lattice.at(row, 11);
      const fromEnd = Math.max(0, 34 - fromMiddleOfBand(along, 230));
      const radius = Math.hypot(fromAxis, 0.75 * fromEnd);
      place.lumen = -radius + 1.6 * lattice.noise(x / 9, y / 9);
      place.stroma = radius;
      place.nuclei = radius;
    },
  },
  {
    name: 'whorled',
    about: 'cells wound around each other in whorls, pale and flaking in the middle, as in keratin pearls',
    elongation: 2.6,
    orientation: 'along',
    arrange(lattice, x, y, place) {
      const wave = 7 * lattice.noise(x / 30, y / 30);
      const { first } = lattice.nearest(x + wave, y - wave, 92, 0.18);
      const ring = fromMiddleOfBand(first + 2.5 * lattice.noise(x / 14, y / 14 + 90), 15);
      place.lumen = -Math.abs(first - 7) - 0.9 * ring;
      place.stroma = 0.55 * first - 2.2 * ring;
      place.nuclei = 0.2 * first + 1.2 * ring;
    },
  },
  {
    name: 'tubular',
    about: 'small tubes packed back to back, cut across and along, with round tufts between them, as in kidney',
    elongation: 1.05,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const tuft = lattice.nearest(x + 400, y + 300, 150, 0.16).first;
      const bentX = x + 34 * lattice.noise(x / 55, y / 55);
      const bentY = y + 34 * lattice.noise(x / 55 + 40, y / 55 + 40);
      const tube = lattice.nearest(0.62 * bentX, bentY, 34, 0.14);
      const wall = (tube.second - tube.first) / 2;
      if (tuft < 36) {
        // The tuft hangs in a clear ring.
        place.lumen = 9 - 3.2 * Math.abs(tuft - 33);
        place.stroma = 5 * lattice.noise(x / 6, y / 6) - 1;
        place.nuclei = 5 * lattice.noise(x / 7 + 20, y / 7);
        return;
      }
      place.lumen = -tube.first;
      place.stroma = -1.6 * wall + 3;
      place.nuclei = 1.5 - 0.8 * Math.abs(wall - 7);
    },
  },
  {
    name: 'lacunar',
    about: 'tufts of cells that float in clear spaces between walls of stroma, as in micropapillary growth in lung',
    elongation: 1.1,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const wave = 6 * lattice.noise(x / 21, y / 21);
      const { first, second } = lattice.nearest(x + wave, y + wave, 58, 0.2);
      const fromEdge = (second - first) / 2;
      place.stroma = -fromEdge + 2 * lattice.noise(x / 12, y / 12 + 50);
      // A ring around the tuft, wide on one side and closed on the other.
      place.lumen = -Math.abs(fromEdge - 10) + 4 * lattice.noise(x / 28 + 90, y / 28);
      place.nuclei = 0.1 * fromEdge;
    },
  },
  {
    name: 'storiform',
    about: 'short spindle cells that swirl around many centers, as in the stroma of ovary',
    elongation: 2.7,
    orientation: 'along',
    arrange(lattice, x, y, place) {
      // Streams that bend around within a few cells' length.
      const along = x + 52 * lattice.noise(x / 62, y / 62);
      const across = y + 52 * lattice.noise(x / 62 + 40, y / 62 + 40);
      place.stroma = 6 * lattice.noise(along / 40, across / 11);
      place.lumen = 6 * lattice.noise(along / 26 + 60, across / 12 + 140);
      place.nuclei = 0;
    },
  },
  {
    name: 'lobular',
    about: 'clusters of small knots of cells without a hole, nuclei at their rims, split into lobules, as in pancreas',
    elongation: 1.1,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const lobule = lattice.nearest(x + 700, y + 200, 128, 0.2);
      const fromSeptum = (lobule.second - lobule.first) / 2;
      const knot = lattice.nearest(x, y, 31, 0.2);
      const fromKnotEdge = (knot.second - knot.first) / 2;
      place.stroma = Math.max(1.5 - fromKnotEdge, 7 - 1.3 * fromSeptum);
      place.lumen = -Math.abs(fromSeptum - 9) + 4 * lattice.noise(x / 40, y / 40 + 50);
      place.nuclei = -1.6 * Math.max(0, fromKnotEdge - 4.5);
    },
  },
  {
    name: 'vacuolated',
    about: 'single cells, each with a clear drop that pushes the nucleus aside, as signet-ring cells in stomach',
    elongation: 1.7,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const { first, second } = lattice.nearest(x, y, 19, 0.3);
      const drop = lattice.nearest(x + 2.5, y + 1.5, 19, 0.3).first;
      place.lumen = -drop + 1.6 * lattice.noise(x / 30, y / 30 + 30);
      place.stroma = 5 * lattice.noise(x / 22 + 55, y / 22) - 0.6 * (second - first);
      place.nuclei = -0.9 * Math.abs(first - 5.5);
    },
  },
  {
    name: 'seminiferous',
    about: 'wide round tubes, nuclei in several layers around a ragged lumen, each in a sleeve of stroma, as in testis',
    elongation: 1.0,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const { first, second } = lattice.nearest(x, y, 118, 0.1);
      const fromEdge = (second - first) / 2;
      place.lumen = -first + 7 * lattice.noise(x / 10, y / 10);
      // The sleeve, and islands of stroma where three tubes meet.
      place.stroma = -fromEdge + 0.1 * first;
      const layer = fromMiddleOfBand(fromEdge, 9.5);
      place.nuclei = 4 - 2.2 * layer - 0.06 * fromEdge;
    },
  },
  {
    name: 'corticomedullary',
    about: 'lobules with a rim crowded with nuclei and a pale middle, as in thymus',
    elongation: 1.05,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const wave = 12 * lattice.noise(x / 44, y / 44);
      const { first, second } = lattice.nearest(x + wave, y - wave, 136, 0.16);
      const fromEdge = (second - first) / 2;
      const mesh = 5 * lattice.noise(x / 9, y / 9 + 20);
      place.stroma = fromEdge < 4 ? 12 - fromEdge : mesh + 0.07 * fromEdge;
      place.lumen = fromEdge < 8 ? -fromEdge : -9 + 4 * lattice.noise(x / 12 + 60, y / 12);
      place.nuclei = fromEdge < 34 ? 6 : -0.12 * fromEdge;
    },
  },
  {
    name: 'follicular',
    about: 'large round hollow balls in one layer of cells among small solid ones, as in thyroid',
    elongation: 1.1,
    orientation: 'random',
    arrange(lattice, x, y, place) {
      const ball = lattice.nearest(x, y, 104, 0.12);
      const size = 1 + 0.35 * lattice.noise(x / 150 + 30, y / 150) + 0.08 * lattice.noise(x / 30, y / 30);
      const radius = ball.first * size;
      const small = lattice.nearest(x + 500, y + 100, 30, 0.2);
      const inBall = radius < 40;
      place.lumen = 22 - radius;
      place.stroma = inBall ? -30 + 0.5 * Math.max(0, radius - 36) : 2 - (small.second - small.first) / 2;
      place.nuclei = inBall ? 2 - 0.5 * Math.abs(radius - 31) : 0;
    },
  },
];
