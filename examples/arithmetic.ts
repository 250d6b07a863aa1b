import { calcfunction, type Data, workfunction } from 'wherry';

export const add = calcfunction('example.add', (x: number, y: number) => x + y);

export const multiply = calcfunction('example.multiply', (x: number, y: number) => x * y);

/** Calls two functions, and gives the data of both. */
export const addAndMultiply = workfunction(
  'example.add-and-multiply',
  async (x: Data<number>, y: Data<number>, z: Data<number>) => {
    const sum = await add(x, y);
    const product = await multiply(sum, z);
    return { sum, product };
  },
);
