/**
 * Writes tar headers in the GNU format: raw bytes in names and `L`/`K` entries for long ones, which GNU, busybox and
 * libarchive all read. (The pax headers that libraries write instead are not understood by busybox.)
 * @module
 */

const block = 512;
const types = { file: '0', symlink: '2', longTarget: 'K', longName: 'L' } as const;

export interface TarHeader {
  readonly type: keyof typeof types;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly mode: number;
  readonly target?: string;
}

/** The header of an entry, with entries for a long name or target before it. */
export function tarHeader({ name, target = '', ...rest }: TarHeader): Buffer {
  const nameBytes = Buffer.from(name);
  const targetBytes = Buffer.from(target);
  const header = plainHeader(rest.type, nameBytes, targetBytes, rest.mode, rest.size);
  if (nameBytes.length <= 100 && targetBytes.length <= 100) return header;
  return Buffer.concat([
    ...(targetBytes.length > 100 ? longEntry('longTarget', targetBytes) : []),
    ...(nameBytes.length > 100 ? longEntry('longName', nameBytes) : []),
    header,
  ]);
}

/** The zeros that fill the last block of `size` bytes of content. */
export function tarPadding(size: number): Buffer {
  return zeros.subarray(0, (block - (size % block)) % block);
}

/** What ends an archive of `size` bytes; fills whole records of 20 blocks, for readers that insist on them. */
export function tarEnd(size: number): Buffer {
  const least = size + 2 * block;
  return Buffer.alloc(2 * block + ((20 * block - (least % (20 * block))) % (20 * block)));
}

const zeros = Buffer.alloc(block);

function longEntry(type: 'longName' | 'longTarget', value: Buffer): Buffer[] {
  const size = value.length + 1;
  const header = plainHeader(type, Buffer.from('././@LongLink'), Buffer.alloc(0), 0, size);
  return [header, value, zeros.subarray(0, 1), tarPadding(size)];
}

function plainHeader(type: keyof typeof types, name: Buffer, target: Buffer, mode: number, size: number): Buffer {
  const header = Buffer.alloc(block);
  name.copy(header, 0, 0, 100);
  header.write(`${octal(mode & 0o7777, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  writeSize(header, size);
  header.write(`${octal(0, 11)}\0        ${types[type]}`, 136, 'latin1');
  target.copy(header, 157, 0, 100);
  header.write('ustar  \0', 257, 'latin1');
  let sum = 0;
  // By index: the iterator of a buffer is ten times as slow, and this is the inner loop of an upload.
  for (let at = 0; at < block; at++) sum += header[at] ?? 0;
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return header;
}

/** Octal up to 8 GiB; above, the binary form that marks itself by its first bit. */
function writeSize(header: Buffer, size: number): void {
  if (size < 8 ** 11) {
    header.write(`${octal(size, 11)}\0`, 124, 'latin1');
    return;
  }
  header[124] = 0x80;
  header.writeBigUInt64BE(BigInt(size), 128);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
