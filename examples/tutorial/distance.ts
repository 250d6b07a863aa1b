import { run } from 'wherry';
import { Distance } from './roots.js';

const { distance } = await run(Distance, { x: 30, y: 40 });
console.log(`the distance is ${distance}`);
