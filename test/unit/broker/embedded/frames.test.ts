import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, largest } from '../../../../src/broker/embedded/frames.js';

describe('frames', () => {
  it('come out as they were put in, however the bytes arrive', () => {
    const frames = fc.array(fc.tuple(fc.object(), fc.uint8Array({ maxLength: 300 })), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sent, sizes) => {
        const bytes = Buffer.concat(sent.map(([header, body]) => encodeFrame(header, body)));
        const reader = new FrameReader();
        const read: [string, Buffer][] = [];
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const end = start + (sizes[turn % sizes.length] ?? 1);
          for (const { header, body } of reader.read(bytes.subarray(start, end))) read.push([header.toString(), body]);
          start = end;
        }
        expect(read).toEqual(sent.map(([header, body]) => [JSON.stringify(header), Buffer.from(body)]));
      }),
    );
  });

  it('have a bound when they are sent', () => {
    expect(() => encodeFrame({}, Buffer.alloc(largest.body))).not.toThrow();
    for (const [header, body] of [
      [{}, Buffer.alloc(largest.body + 1)],
      [{ name: 'x'.repeat(largest.header) }, Buffer.alloc(0)],
    ] as const) {
      expect(() => encodeFrame(header, body)).toThrow(expect.objectContaining({ code: 'message-refused' }));
    }
  });

  it.each([
    ['a long header', largest.header + 1, 0],
    ['a long body', 2, largest.body + 1],
    ['what is no frame at all', 0x47455420, 0x2f204854],
  ])('have a bound when they come, before anything is kept: %s', (_, header, body) => {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32BE(header, 0);
    prefix.writeUInt32BE(body, 4);
    expect(() => new FrameReader().read(prefix)).toThrow(expect.objectContaining({ code: 'message-refused' }));
  });
});
