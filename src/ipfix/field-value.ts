// Decodes the value of one field by its abstract data type (RFC 7011, section 6.1). Whole numbers are exact: those above 2^53
// are bigints. Times become text, ISO 8601 in UTC. Values of an unknown type stay bytes.

import type { ElementType } from './elements.ts';
import type { FieldValue, ReaderField } from './reader-types.ts';

/** Seconds from 1900, the epoch of NTP's era 0, to 1970 (RFC 7011, sections 6.1.9 and 6.1.10). */
const NTP_TO_UNIX_SECONDS = 2_208_988_800n;

/** Bytes of the types of fixed size; numbers may have fewer (reduced-size encoding, RFC 7011, section 6.2). */
const FIXED_SIZES: Partial<Record<ElementType, number>> = {
  boolean: 1,
  macAddress: 6,
  ipv4Address: 4,
  ipv6Address: 16,
  dateTimeSeconds: 4,
  dateTimeMilliseconds: 8,
  dateTimeMicroseconds: 8,
  dateTimeNanoseconds: 8,
};

/** Returns whether an element of this type can have `size` bytes. */
export function isPossibleSize(type: ElementType, size: number): boolean {
  const fixed = FIXED_SIZES[type];
  if (fixed !== undefined) {
    return size === fixed;
  }
  if (type === 'unsigned' || type === 'signed') {
    return size >= 1 && size <= 8;
  }
  if (type === 'float') {
    return size === 4 || size === 8;
  }
  return true;
}

/** Decodes `bytes`, whose size is possible (`isPossibleSize`); returns undefined for a value that the type does not allow. */
export function decodeValue(field: ReaderField, bytes: Buffer): FieldValue | undefined {
  switch (field.element?.type) {
    case 'unsigned':
      return bytes.length <= 6 ? bytes.readUIntBE(0, bytes.length) : exact(unsignedOf(bytes));
    case 'signed':
      return bytes.length <= 6
        ? bytes.readIntBE(0, bytes.length)
        : exact(BigInt.asIntN(8 * bytes.length, unsignedOf(bytes)));
    case 'float':
      return bytes.length === 4 ? bytes.readFloatBE(0) : bytes.readDoubleBE(0);
    case 'boolean':
      // 1 is true and 2 is false; other values are undefined (RFC 7011, section 6.1.5).
      return bytes[0] === 1 ? true : bytes[0] === 2 ? false : undefined;
    case 'macAddress':
      return bytes.toString('hex').replaceAll(/(..)(?!$)/g, '$1:');
    case 'ipv4Address':
      return bytes.join('.');
    case 'ipv6Address':
      return ipv6Text(bytes);
    case 'string':
      // Texts of a fixed size are padded with zeros.
      return bytes.toString('utf8').replace(/\0+$/u, '');
    case 'dateTimeSeconds':
      return timeText(BigInt(bytes.readUInt32BE(0)), 0n, 0);
    case 'dateTimeMilliseconds': {
      const milliseconds = unsignedOf(bytes);
      return timeText(milliseconds / 1000n, milliseconds % 1000n, 3);
    }
    case 'dateTimeMicroseconds':
      // The lowest 11 bits of the fraction are less than a microsecond and are ignored (RFC 7011, section 6.1.9).
      return ntpText(bytes.readUInt32BE(0), (bytes.readUInt32BE(4) & ~0x7ff) >>> 0, 6);
    case 'dateTimeNanoseconds':
      return ntpText(bytes.readUInt32BE(0), bytes.readUInt32BE(4), 9);
    case 'octetArray':
    case 'structured':
    case undefined:
      return Buffer.from(bytes);
  }
}

function unsignedOf(bytes: Buffer): bigint {
  let value = 0n;
  for (const byte of bytes) {
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function ntpText(seconds: number, fraction: number, digits: number): string {
  const parts = (BigInt(fraction) * 10n ** BigInt(digits) + 0x8000_0000n) >> 32n;
  const one = 10n ** BigInt(digits);
  return timeText(BigInt(seconds) - NTP_TO_UNIX_SECONDS + parts / one, parts % one, digits);
}

/** Returns a time in UTC; one beyond the range of `Date` (8.64e15 ms) is shown in seconds. */
function timeText(seconds: bigint, fraction: bigint, digits: number): string {
  const date = new Date(Number(seconds) * 1000);
  const suffix = digits === 0 ? '' : `.${fraction.toString().padStart(digits, '0')}`;
  if (Number.isNaN(date.getTime())) {
    return `${seconds}${suffix} s`;
  }
  return `${date.toISOString().slice(0, -5)}${suffix}Z`;
}

/** Returns the canonical text of an address (RFC 5952). */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16),
  ).join(':');
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1);
}
