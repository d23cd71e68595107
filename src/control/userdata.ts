// The bytes that our controller actions carry and our packet-ins bring back (NXAST_CONTROLLER2 "userdata"): they say
// what was sampled, so that a packet-in is understood without looking anything up.
//
//   0       1       2               4                               8                               12
//   +-------+-------+---------------+-------------------------------+-------------------------------+
//   |version| kind  |       0       |     observation domain id     |     observation point id      |
//   +-------+-------+---------------+-------------------------------+-------------------------------+

/** Version of this layout; packet-ins of another one (an older daemon's hook) are counted and dropped. */
export const USERDATA_VERSION = 1;
/** Size of the userdata of a bridge's hook, in bytes. */
export const USERDATA_BYTES = 12;
/** The packet was sampled by the hook of a whole bridge. */
export const KIND_BRIDGE = 1;

const KIND_OFFSET = 1;
const DOMAIN_OFFSET = 4;
const POINT_OFFSET = 8;

/** The userdata of a bridge's hook. */
export function bridgeUserdata(observationDomainId: number, observationPointId: number): Buffer {
  const bytes = Buffer.alloc(USERDATA_BYTES);
  bytes.writeUInt8(USERDATA_VERSION, 0);
  bytes.writeUInt8(KIND_BRIDGE, KIND_OFFSET);
  bytes.writeUInt32BE(observationDomainId, DOMAIN_OFFSET);
  bytes.writeUInt32BE(observationPointId, POINT_OFFSET);
  return bytes;
}

/** Whether `bytes[start, end)` is the userdata of a bridge's hook in our version. Reads, allocates nothing. */
export function isBridgeUserdata(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start === USERDATA_BYTES &&
    bytes[start] === USERDATA_VERSION &&
    bytes[start + KIND_OFFSET] === KIND_BRIDGE
  );
}

/** The observation domain id in the userdata at `start`, which `isBridgeUserdata` has accepted. */
export function userdataDomainId(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + DOMAIN_OFFSET);
}

/** The observation point id in the userdata at `start`, which `isBridgeUserdata` has accepted. */
export function userdataPointId(bytes: Buffer, start: number): number {
  return bytes.readUInt32BE(start + POINT_OFFSET);
}
