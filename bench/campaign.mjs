// npm run campaign -- NAME: a long reliability run, whose last result is committed under bench/results/.
import { dispatch } from './dispatch.mjs';

process.exitCode = dispatch('campaign', process.argv.slice(2));
