import { run } from 'wherry';
import { Root } from './roots.js';

const { root } = await run(Root, { number: 2, steps: 6 });
console.log(`the root of 2 is ${root}`);
