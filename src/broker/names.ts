import { WherryError } from '../errors.js';
import type { Address, BroadcastFilter } from './communicator.js';

const word = '[A-Za-z0-9_-]{1,120}';
const addressPattern = new RegExp(`^${word}\\.${word}$`);
const subjectPattern = new RegExp(`^${word}(\\.${word}){0,9}$`);
const subjectFilter = new RegExp(`^(${word}|\\*|#)(\\.(${word}|\\*|#)){0,9}$`);
const senderFilter = new RegExp(`^(${word}|\\*)\\.(${word}|\\*)$`);
const queuePattern = new RegExp(`^${word}$`);

/** Errors: `message-refused` for what is no address. */
export function checkAddress(address: string): Address {
  return checked(address, addressPattern, 'is no address: give a kind and an identifier, such as worker.7') as Address;
}

/** Errors: `message-refused` for what is no subject of a broadcast. */
export function checkSubject(subject: string): string {
  return checked(subject, subjectPattern, 'is no subject: give at most ten words, joined by dots');
}

/** Errors: `message-refused` for what cannot be the name of a queue. */
export function checkQueue(queue: string): string {
  return checked(queue, queuePattern, 'cannot be the name of a queue: give one word of letters, digits, _ and -');
}

/** Errors: `message-refused` for patterns that no broadcast could match. */
export function checkFilter(filter: BroadcastFilter): BroadcastFilter {
  const { subject, sender } = filter;
  if (subject !== undefined) checked(subject, subjectFilter, 'is no pattern of a subject');
  if (sender !== undefined) checked(sender, senderFilter, 'is no pattern of a sender');
  return filter;
}

/** Characters of a whole name: a sender and a subject together must fit into the 255 bytes of a routing key. */
const longestName = 120;

function checked(name: string, pattern: RegExp, complaint: string): string {
  if (name.length <= longestName && pattern.test(name)) return name;
  throw new WherryError('message-refused', `${JSON.stringify(name.slice(0, 200))} ${complaint}`);
}

/** Does a broadcast match a filter? `*` stands for one word, `#` for any number of words. */
export function matches(filter: BroadcastFilter, subject: string, sender: string | null): boolean {
  if (filter.sender !== undefined && (sender === null || !wordsMatch(filter.sender.split('.'), sender.split('.')))) {
    return false;
  }
  return filter.subject === undefined || wordsMatch(filter.subject.split('.'), subject.split('.'));
}

/** Goes back to the last `#` only, so that no pattern takes long. */
function wordsMatch(pattern: readonly string[], words: readonly string[]): boolean {
  let next = 0;
  let lastHash = -1;
  let afterHash = 0;
  for (let index = 0; index < words.length; ) {
    const wanted = pattern[next];
    if (wanted === '#') {
      lastHash = next;
      afterHash = index;
      next += 1;
    } else if (wanted === '*' || wanted === words[index]) {
      next += 1;
      index += 1;
    } else if (lastHash >= 0) {
      // It stands for one word more.
      next = lastHash + 1;
      afterHash += 1;
      index = afterHash;
    } else return false;
  }
  return pattern.slice(next).every((left) => left === '#');
}
