import { testSeeds } from './property.js';

const most = Number(process.env.WHERRY_POSTGRES_SEEDS ?? 2);

// A thousand questions after one another: where others keep the processors busy, each of them waits for its turn.
testSeeds(0, 1, { most, timeout: 300_000 });
