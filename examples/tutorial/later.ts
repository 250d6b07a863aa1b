import { submit } from 'wherry';
import { Distance } from './roots.js';

for (const point of [
  { x: 3, y: 4 },
  { x: 8, y: 15 },
]) {
  const { id } = await submit(Distance, point);
  console.log(`process ${id}`);
}
