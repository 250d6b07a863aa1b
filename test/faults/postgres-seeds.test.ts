import { testSeeds } from './property.js';

/** A server answers many times slower than SQLite in memory. */
const count = Number(process.env.WHERRY_POSTGRES_SEEDS ?? 10);

testSeeds(0, 1, count);
