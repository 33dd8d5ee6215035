export { type InferredDefinition, inferDefinition } from './definition.js';
