// The checksum of cksum(1) (POSIX.1-2017, "cksum"), which the build of Open vSwitch writes into its schema files.

const POLYNOMIAL = 0x04c1_1db7;

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let remainder = index << 24;
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = remainder & 0x8000_0000 ? (remainder << 1) ^ POLYNOMIAL : remainder << 1;
  }
  return remainder;
});

/** Returns what cksum(1) prints for these bytes: checksum, space, size in bytes. */
export function posixCksum(bytes: Uint8Array): string {
  let sum = 0;
  const add = (byte: number): void => {
    sum = (sum << 8) ^ (table[(sum >>> 24) ^ byte] ?? 0);
  };
  for (const byte of bytes) {
    add(byte);
  }
  // The size is appended to the bytes, lowest byte first, without trailing zeros.
  for (let size = bytes.length; size > 0; size = Math.floor(size / 256)) {
    add(size % 256);
  }
  return `${~sum >>> 0} ${bytes.length}`;
}
