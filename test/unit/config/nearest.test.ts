import { expect, it } from 'vitest';
import { nearest } from '../../../src/config/nearest.js';

const keys = ['command', 'computer', 'label', 'retrieve', 'queue', 'qos'];

it.each([
  ['comand', 'command'],
  ['Command', 'command'],
  ['commnad', 'command'],
  ['lable', 'label'],
  ['retreive', 'retrieve'],
  ['quue', 'queue'],
  ['', undefined],
  ['walltime', undefined],
])('%j was meant to be %j', (word, meant) => {
  expect(nearest(word, keys)).toBe(meant);
});
