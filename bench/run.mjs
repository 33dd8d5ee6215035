// npm run bench -- NAME: this project and its peer on the same work, in one run.
import { dispatch } from './dispatch.mjs';

process.exitCode = dispatch('bench', process.argv.slice(2));
