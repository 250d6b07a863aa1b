/** A line between two boxes of the layout, downwards. */
export interface Line {
  readonly upper: number;
  readonly lower: number;
  /** Long lines of one group that have an end in common run together. */
  readonly group: string;
}

/** A piece of a line, from one layer to the next. */
export interface Piece {
  readonly upper: number;
  readonly lower: number;
  readonly group: string;
  /** The only line that this piece belongs to; undefined where several run together. */
  readonly line: number | undefined;
}

export interface Tracks {
  /** Layers of the boxes, then of the bends that were put into the layers between them. */
  readonly layerOf: readonly number[];
  readonly pieces: readonly Piece[];
  /** Lines that go past the layers without bends, because there would be too many of them. */
  readonly direct: readonly number[];
}

/**
 * Leads lines through the layers that they cross, with a bend in each. Lines that share an end share their bends too: so
 * a workflow with a thousand children has one track beside them, not a thousand.
 */
export function layTracks(layerOfBoxes: readonly number[], lines: readonly Line[], mostBends: number): Tracks {
  const layerOf = [...layerOfBoxes];
  const layer = (box: number) => layerOf[box] ?? 0;
  const pieces: Piece[] = [];
  const direct: number[] = [];
  const counts = new Map<string, number>();
  const upperTrack = ({ group, upper }: Line) => `${group} from ${upper}`;
  const lowerTrack = ({ group, lower }: Line) => `${group} to ${lower}`;
  const long: number[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.upper === line.lower) continue;
    if (layer(line.lower) - layer(line.upper) === 1) {
      pieces.push({ ...line, line: index });
      continue;
    }
    long.push(index);
    for (const track of [upperTrack(line), lowerTrack(line)]) counts.set(track, (counts.get(track) ?? 0) + 1);
  }
  const bends = new Map<string, number[]>();
  let left = mostBends;
  /** The bend of a track in a layer; the pieces to it from the box where the track begins are made with it. */
  const bendAt = (track: string, box: number, target: number, group: string): number => {
    const down = target > layer(box) ? 1 : -1;
    const known = bends.get(track) ?? [];
    bends.set(track, known);
    while (known.length < Math.abs(target - layer(box))) {
      const before = known.at(-1) ?? box;
      const bend = layerOf.push(layer(before) + down) - 1;
      const [upper, lower] = down === 1 ? [before, bend] : [bend, before];
      pieces.push({ upper, lower, group, line: undefined });
      known.push(bend);
      left -= 1;
    }
    return known[Math.abs(target - layer(box)) - 1] ?? box;
  };
  for (const index of long) {
    const line = lines[index];
    if (line === undefined) continue;
    const { upper, lower, group } = line;
    const [fromUpper, toLower] = [upperTrack(line), lowerTrack(line)];
    const alongUpper = (counts.get(fromUpper) ?? 0) >= (counts.get(toLower) ?? 0);
    const track = alongUpper ? fromUpper : toLower;
    const missing = layer(lower) - layer(upper) - 1 - (bends.get(track)?.length ?? 0);
    if (missing > left) {
      direct.push(index);
    } else if (alongUpper) {
      const bend = bendAt(track, upper, layer(lower) - 1, group);
      pieces.push({ upper: bend, lower, group, line: index });
    } else {
      const bend = bendAt(track, lower, layer(upper) + 1, group);
      pieces.push({ upper, lower: bend, group, line: index });
    }
  }
  return { layerOf, pieces, direct };
}
