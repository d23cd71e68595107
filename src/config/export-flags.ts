// The flags of the export, of `run` and `replay`, as far as they have nothing to do with TLS or files.

import type { SourceAddresses } from '../export/collector-session.ts';
import { MESSAGE_BYTES_MIN } from '../export/path-mtu.ts';
import { RECORD_FORMAT_DEFAULT, RECORD_FORMATS } from '../ipfix/record-layout.ts';
import { choice, type FlagReader, fault, optional, wholeNumber, withDefault } from './flag-schema.ts';
import { parseSourceAddresses } from './source-address.ts';

/** Default of `--message-bytes-max`: fits an Ethernet MTU of 1500 with IPv6, UDP and a tunnel header. */
export const MESSAGE_BYTES_MAX_DEFAULT = 1400;

/** The value of `--message-bytes-max`. */
export const messageBytes = withDefault(wholeNumber(MESSAGE_BYTES_MIN, 65_535), MESSAGE_BYTES_MAX_DEFAULT);

/** The value of `--record-format`. */
export const recordFormat = withDefault(choice(RECORD_FORMATS), RECORD_FORMAT_DEFAULT);

/** The value of `--source-address`. */
export const sourceAddress: FlagReader<SourceAddresses | undefined> = optional((input) => {
  const result = parseSourceAddresses(String(input));
  return 'source' in result ? { value: result.source } : fault(result.fault);
});
