export type { InferredDefinition } from './define.js';
export { inferDefinition } from './definition.js';
