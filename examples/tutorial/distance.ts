import { run } from 'wherry';
import { Distance } from './roots.js';

const { distance } = await run(Distance, { x: 5, y: 12 });
console.log(`the distance is ${distance}`);
