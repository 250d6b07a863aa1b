import { testSeeds } from './property.js';

testSeeds(1, 2);
