/**
 * What authors of scheduler and transport plugins import, as `wherry/plugin`.
 * @module
 */
export { z } from 'zod';
export * from './errors.js';
export * from './plugin/files.js';
export * from './plugin/resources.js';
export * from './plugin/scheduler.js';
export * from './plugin/shell.js';
export * from './plugin/transport.js';
export * from './plugin/units.js';
