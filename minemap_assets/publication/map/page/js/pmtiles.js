// Reads PMTiles, version 3: one file of map tiles, of which only the wanted parts are asked for.

const HEADER_BYTES = 127;
const FIRST_BYTES = 16384; // the header and the root directory lie in these
const GZIP = 2;
const NONE = 1;

/** A file of tiles at an address. */
export class TileFile {
  constructor(url) {
    this.url = url;
    this.whole = null; // the file itself, where the server sends nothing less
    this.directories = new Map();
    this.start = null;
  }

  /** The bytes of one tile, unpacked; null where there is none. */
  async tile(z, x, y, signal) {
    const { header, root } = await this.opened();
    if (z < header.minZoom || z > header.maxZoom) return null;
    const id = tileId(z, x, y);
    let entries = root;
    for (let depth = 0; depth < 4; depth += 1) {
      const entry = findEntry(entries, id);
      if (!entry) return null;
      if (entry.run > 0) {
        const packed = await this.bytes(header.tileOffset + entry.offset, entry.length, signal);
        return unpacked(packed, header.tileCompression);
      }
      entries = await this.directory(header, header.leafOffset + entry.offset, entry.length);
    }
    throw new Error(`${this.url}: its directories lie too deep`);
  }

  opened() {
    this.start ??= this.open().catch((error) => {
      this.start = null;
      throw error;
    });
    return this.start;
  }

  async open() {
    const first = await this.bytes(0, FIRST_BYTES);
    const header = readHeader(first, this.url);
    const end = header.rootOffset + header.rootLength;
    const packed = end <= first.byteLength
      ? first.slice(header.rootOffset, end)
      : await this.bytes(header.rootOffset, header.rootLength);
    return { header, root: readDirectory(await unpacked(packed, header.innerCompression)) };
  }

  directory(header, offset, length) {
    if (!this.directories.has(offset)) {
      const read = this.bytes(offset, length)
        .then((packed) => unpacked(packed, header.innerCompression))
        .then(readDirectory);
      read.catch(() => this.directories.delete(offset));
      this.directories.set(offset, read);
    }
    return this.directories.get(offset);
  }

  async bytes(offset, length, signal) {
    if (this.whole) return (await this.whole).slice(offset, offset + length);
    const answer = await fetch(this.url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` }, signal });
    if (answer.status === 206) return answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${this.url} was not sent: ${answer.status}`);
    this.whole ??= answer.arrayBuffer(); // a server without ranges sends all of it
    return (await this.whole).slice(offset, offset + length);
  }
}

function readHeader(buffer, url) {
  const view = new DataView(buffer);
  const name = buffer.byteLength < HEADER_BYTES ? "" : String.fromCharCode(...new Uint8Array(buffer, 0, 7));
  if (name !== "PMTiles" || view.getUint8(7) !== 3) throw new Error(`${url} is no PMTiles file of version 3`);
  const long = (place) => Number(view.getBigUint64(place, true));
  return {
    rootOffset: long(8),
    rootLength: long(16),
    leafOffset: long(40),
    tileOffset: long(56),
    innerCompression: view.getUint8(97),
    tileCompression: view.getUint8(98),
    minZoom: view.getUint8(100),
    maxZoom: view.getUint8(101),
  };
}

/** Entries of a directory: counts of tiles from `id` on, and where they lie; a run of 0 is a directory below. */
export function readDirectory(buffer) {
  const bytes = new Uint8Array(buffer);
  let place = 0;
  const next = () => {
    let value = 0;
    let factor = 1;
    let byte;
    do {
      byte = bytes[place++];
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte & 0x80);
    return value;
  };
  const count = next();
  const entries = Array.from({ length: count }, () => ({ id: 0, run: 0, length: 0, offset: 0 }));
  let id = 0;
  for (const entry of entries) entry.id = id += next();
  for (const entry of entries) entry.run = next();
  for (const entry of entries) entry.length = next();
  for (let n = 0; n < count; n += 1) {
    const offset = next();
    entries[n].offset = offset === 0 && n > 0 ? entries[n - 1].offset + entries[n - 1].length : offset - 1;
  }
  return entries;
}

/** The entry that holds a tile, or the directory that may; null where neither does. */
export function findEntry(entries, id) {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (entries[middle].id <= id) low = middle + 1;
    else high = middle - 1;
  }
  const entry = entries[high];
  if (!entry) return null;
  return entry.run === 0 || id < entry.id + entry.run ? entry : null;
}

/** Number of a tile along the Hilbert curve of its zoom, after all tiles of the zooms before. */
export function tileId(z, x, y) {
  let id = (4 ** z - 1) / 3;
  let [column, row] = [x, y];
  for (let side = 2 ** (z - 1); side >= 1; side /= 2) {
    const right = (column & side) > 0 ? 1 : 0;
    const below = (row & side) > 0 ? 1 : 0;
    id += side * side * ((3 * right) ^ below);
    if (!below) {
      if (right) {
        column = side - 1 - (column & (side - 1));
        row = side - 1 - (row & (side - 1));
      }
      [column, row] = [row, column];
    }
  }
  return id;
}

async function unpacked(buffer, compression) {
  if (compression === NONE) return buffer;
  if (compression !== GZIP) throw new Error(`tiles are packed in a way (${compression}) that this page does not read`);
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Lets MapLibre read addresses such as `pmtiles://tiles/mines.pmtiles/{z}/{x}/{y}`. */
export function addPmtiles(maplibre) {
  const files = new Map();
  maplibre.addProtocol("pmtiles", async ({ url }, { signal }) => {
    const [, path, z, x, y] = /^pmtiles:\/\/(.+)\/(\d+)\/(\d+)\/(\d+)$/.exec(url);
    if (!files.has(path)) files.set(path, new TileFile(path));
    const data = await files.get(path).tile(Number(z), Number(x), Number(y), signal);
    return { data: data ?? new ArrayBuffer(0) };
  });
}
