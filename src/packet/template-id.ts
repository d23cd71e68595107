// Which parts a flow key has, as numbers: the template id and the size of the key that goes with it. The
// dissector picks the id, the flow cache takes the key's size from it. The field list of each template is in
// `src/ipfix`.

/** Whether the frame has an 802.1Q tag. */
export const Layer2 = { untagged: 0, vlan: 1 } as const;
export type Layer2 = (typeof Layer2)[keyof typeof Layer2];

/** The network protocol of the frame. */
export const Layer3 = { other: 0, ipv4: 1, ipv6: 2 } as const;
export type Layer3 = (typeof Layer3)[keyof typeof Layer3];

/** Whether the key has ports. */
export const Layer4 = { other: 0, tcpUdp: 1 } as const;
export type Layer4 = (typeof Layer4)[keyof typeof Layer4];

/** Sizes of the parts of a flow key, in bytes and in the order in which they follow each other. */
export const KeyPartSize = { common: 19, vlan: 5, ip: 6, ipv4: 8, ipv6: 36, tcpUdp: 4 } as const;

/** Template ids below 256 are set ids with a meaning of their own (RFC 7011, section 3.3.2). */
const TEMPLATE_ID_MIN = 256;
/** The longest key: that of template 267, in bytes. */
export const KEY_SIZE_MAX = 70;

/** The template for a frame of these layers. There is no template with ports and without IP. */
export function templateId(layer2: Layer2, layer3: Layer3, layer4: Layer4): number {
  return TEMPLATE_ID_MIN + (layer2 * 3 + layer3) * 2 + layer4;
}

/** Whether the records of this template have the parts about IP. */
export function isIpTemplate(templateId: number): boolean {
  return ((templateId - TEMPLATE_ID_MIN) >> 1) % 3 !== Layer3.other;
}

/** The size in bytes of the flow key that goes with a template. */
export function keySize(templateId: number): number {
  const layers = templateId - TEMPLATE_ID_MIN;
  const layer3 = (layers >> 1) % 3;
  let size: number = KeyPartSize.common;
  if (layers >= 6) {
    size += KeyPartSize.vlan;
  }
  if (layer3 !== Layer3.other) {
    size += KeyPartSize.ip + (layer3 === Layer3.ipv4 ? KeyPartSize.ipv4 : KeyPartSize.ipv6);
  }
  return (layers & 1) === Layer4.tcpUdp ? size + KeyPartSize.tcpUdp : size;
}
