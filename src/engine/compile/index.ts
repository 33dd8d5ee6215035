export { autotuneConvolutions, type MeasureOptions } from './autotune-convolutions.js';
export { type Compiled, type CompileOptions, compile } from './compile.js';
export { CompileError } from './errors.js';
export { withControlDependencies } from './order.js';
export type { Precision } from './precision.js';
export { type OpUse, recordedOps } from './recorded-ops.js';
export { writeSavedModel } from './saved-model.js';
