import { testSeeds } from './property.js';

testSeeds(0, 2);
