// The information elements that we export, and those of OVS's own exporter and of common probes, which `collect` names. Record
// layout, reader and output use this table. Numbers, names and types are from IANA's registry "IPFIX Information Elements"
// (RFC 7012); the enterprise-specific ones are those of OVS.

/** Abstract data types of RFC 7012, section 3.1; `structured` are the lists of RFC 6313, kept as bytes. */
export type ElementType =
  | 'unsigned'
  | 'signed'
  | 'float'
  | 'boolean'
  | 'macAddress'
  | 'ipv4Address'
  | 'ipv6Address'
  | 'octetArray'
  | 'string'
  | 'dateTimeSeconds'
  | 'dateTimeMilliseconds'
  | 'dateTimeMicroseconds'
  | 'dateTimeNanoseconds'
  | 'structured';

/** Units of RFC 7012, section 6.3, that our elements have. */
export type ElementUnits =
  | ''
  | 'octets'
  | 'packets'
  | 'flows'
  | 'messages'
  | 'seconds'
  | 'milliseconds'
  | 'microseconds'
  | 'nanoseconds'
  | 'hops'
  | '4-octet words';

/** One information element. */
export interface Element {
  readonly id: number;
  /** 0 for IANA's own elements, else a private enterprise number (RFC 7011, section 3.2). */
  readonly enterprise: number;
  readonly name: string;
  readonly type: ElementType;
  /** Bytes of the type; a template may give a number fewer (reduced-size encoding, RFC 7011, section 6.2); 0: any. */
  readonly size: number;
  readonly units: ElementUnits;
}

/** The enterprise number of the tunnel elements of OVS. */
const ENTERPRISE_VMWARE = 6876;

type Row = readonly [id: number, name: string, type: ElementType, size: number, units?: ElementUnits];

const IANA_ROWS: readonly Row[] = [
  [1, 'octetDeltaCount', 'unsigned', 8, 'octets'],
  [2, 'packetDeltaCount', 'unsigned', 8, 'packets'],
  [3, 'deltaFlowCount', 'unsigned', 8, 'flows'],
  [4, 'protocolIdentifier', 'unsigned', 1],
  [5, 'ipClassOfService', 'unsigned', 1],
  [6, 'tcpControlBits', 'unsigned', 2],
  [7, 'sourceTransportPort', 'unsigned', 2],
  [8, 'sourceIPv4Address', 'ipv4Address', 4],
  [9, 'sourceIPv4PrefixLength', 'unsigned', 1],
  [10, 'ingressInterface', 'unsigned', 4],
  [11, 'destinationTransportPort', 'unsigned', 2],
  [12, 'destinationIPv4Address', 'ipv4Address', 4],
  [13, 'destinationIPv4PrefixLength', 'unsigned', 1],
  [14, 'egressInterface', 'unsigned', 4],
  [15, 'ipNextHopIPv4Address', 'ipv4Address', 4],
  [16, 'bgpSourceAsNumber', 'unsigned', 4],
  [17, 'bgpDestinationAsNumber', 'unsigned', 4],
  [18, 'bgpNextHopIPv4Address', 'ipv4Address', 4],
  [19, 'postMCastPacketDeltaCount', 'unsigned', 8, 'packets'],
  [20, 'postMCastOctetDeltaCount', 'unsigned', 8, 'octets'],
  [21, 'flowEndSysUpTime', 'unsigned', 4, 'milliseconds'],
  [22, 'flowStartSysUpTime', 'unsigned', 4, 'milliseconds'],
  [23, 'postOctetDeltaCount', 'unsigned', 8, 'octets'],
  [24, 'postPacketDeltaCount', 'unsigned', 8, 'packets'],
  [25, 'minimumIpTotalLength', 'unsigned', 8, 'octets'],
  [26, 'maximumIpTotalLength', 'unsigned', 8, 'octets'],
  [27, 'sourceIPv6Address', 'ipv6Address', 16],
  [28, 'destinationIPv6Address', 'ipv6Address', 16],
  [29, 'sourceIPv6PrefixLength', 'unsigned', 1],
  [30, 'destinationIPv6PrefixLength', 'unsigned', 1],
  [31, 'flowLabelIPv6', 'unsigned', 4],
  [32, 'icmpTypeCodeIPv4', 'unsigned', 2],
  [33, 'igmpType', 'unsigned', 1],
  [34, 'samplingInterval', 'unsigned', 4, 'packets'],
  [35, 'samplingAlgorithm', 'unsigned', 1],
  [36, 'flowActiveTimeout', 'unsigned', 2, 'seconds'],
  [37, 'flowIdleTimeout', 'unsigned', 2, 'seconds'],
  [40, 'exportedOctetTotalCount', 'unsigned', 8, 'octets'],
  [41, 'exportedMessageTotalCount', 'unsigned', 8, 'messages'],
  [42, 'exportedFlowRecordTotalCount', 'unsigned', 8, 'flows'],
  [52, 'minimumTTL', 'unsigned', 1, 'hops'],
  [53, 'maximumTTL', 'unsigned', 1, 'hops'],
  [54, 'fragmentIdentification', 'unsigned', 4],
  [55, 'postIpClassOfService', 'unsigned', 1],
  [56, 'sourceMacAddress', 'macAddress', 6],
  [57, 'postDestinationMacAddress', 'macAddress', 6],
  [58, 'vlanId', 'unsigned', 2],
  [59, 'postVlanId', 'unsigned', 2],
  [60, 'ipVersion', 'unsigned', 1],
  [61, 'flowDirection', 'unsigned', 1],
  [62, 'ipNextHopIPv6Address', 'ipv6Address', 16],
  [80, 'destinationMacAddress', 'macAddress', 6],
  [81, 'postSourceMacAddress', 'macAddress', 6],
  [82, 'interfaceName', 'string', 0],
  [83, 'interfaceDescription', 'string', 0],
  [85, 'octetTotalCount', 'unsigned', 8, 'octets'],
  [86, 'packetTotalCount', 'unsigned', 8, 'packets'],
  [88, 'fragmentOffset', 'unsigned', 2],
  [95, 'applicationId', 'octetArray', 0],
  [96, 'applicationName', 'string', 0],
  [130, 'exporterIPv4Address', 'ipv4Address', 4],
  [131, 'exporterIPv6Address', 'ipv6Address', 16],
  [132, 'droppedOctetDeltaCount', 'unsigned', 8, 'octets'],
  [133, 'droppedPacketDeltaCount', 'unsigned', 8, 'packets'],
  [134, 'droppedOctetTotalCount', 'unsigned', 8, 'octets'],
  [135, 'droppedPacketTotalCount', 'unsigned', 8, 'packets'],
  [136, 'flowEndReason', 'unsigned', 1],
  [137, 'commonPropertiesId', 'unsigned', 8],
  [138, 'observationPointId', 'unsigned', 8],
  [139, 'icmpTypeCodeIPv6', 'unsigned', 2],
  [141, 'lineCardId', 'unsigned', 4],
  [142, 'portId', 'unsigned', 4],
  [143, 'meteringProcessId', 'unsigned', 4],
  [144, 'exportingProcessId', 'unsigned', 4],
  [145, 'templateId', 'unsigned', 2],
  [148, 'flowId', 'unsigned', 8],
  [149, 'observationDomainId', 'unsigned', 4],
  [150, 'flowStartSeconds', 'dateTimeSeconds', 4, 'seconds'],
  [151, 'flowEndSeconds', 'dateTimeSeconds', 4, 'seconds'],
  [152, 'flowStartMilliseconds', 'dateTimeMilliseconds', 8, 'milliseconds'],
  [153, 'flowEndMilliseconds', 'dateTimeMilliseconds', 8, 'milliseconds'],
  [154, 'flowStartMicroseconds', 'dateTimeMicroseconds', 8, 'microseconds'],
  [155, 'flowEndMicroseconds', 'dateTimeMicroseconds', 8, 'microseconds'],
  [156, 'flowStartNanoseconds', 'dateTimeNanoseconds', 8, 'nanoseconds'],
  [157, 'flowEndNanoseconds', 'dateTimeNanoseconds', 8, 'nanoseconds'],
  [158, 'flowStartDeltaMicroseconds', 'unsigned', 4, 'microseconds'],
  [159, 'flowEndDeltaMicroseconds', 'unsigned', 4, 'microseconds'],
  [160, 'systemInitTimeMilliseconds', 'dateTimeMilliseconds', 8, 'milliseconds'],
  [161, 'flowDurationMilliseconds', 'unsigned', 4, 'milliseconds'],
  [162, 'flowDurationMicroseconds', 'unsigned', 4, 'microseconds'],
  [163, 'observedFlowTotalCount', 'unsigned', 8, 'flows'],
  [164, 'ignoredPacketTotalCount', 'unsigned', 8, 'packets'],
  [165, 'ignoredOctetTotalCount', 'unsigned', 8, 'octets'],
  [166, 'notSentFlowTotalCount', 'unsigned', 8, 'flows'],
  [167, 'notSentPacketTotalCount', 'unsigned', 8, 'packets'],
  [168, 'notSentOctetTotalCount', 'unsigned', 8, 'octets'],
  [173, 'flowKeyIndicator', 'unsigned', 8],
  [174, 'postMCastPacketTotalCount', 'unsigned', 8, 'packets'],
  [175, 'postMCastOctetTotalCount', 'unsigned', 8, 'octets'],
  [176, 'icmpTypeIPv4', 'unsigned', 1],
  [177, 'icmpCodeIPv4', 'unsigned', 1],
  [178, 'icmpTypeIPv6', 'unsigned', 1],
  [179, 'icmpCodeIPv6', 'unsigned', 1],
  [180, 'udpSourcePort', 'unsigned', 2],
  [181, 'udpDestinationPort', 'unsigned', 2],
  [182, 'tcpSourcePort', 'unsigned', 2],
  [183, 'tcpDestinationPort', 'unsigned', 2],
  [184, 'tcpSequenceNumber', 'unsigned', 4],
  [185, 'tcpAcknowledgementNumber', 'unsigned', 4],
  [189, 'ipHeaderLength', 'unsigned', 1, 'octets'],
  [190, 'totalLengthIPv4', 'unsigned', 2, 'octets'],
  [191, 'payloadLengthIPv6', 'unsigned', 2, 'octets'],
  [192, 'ipTTL', 'unsigned', 1, 'hops'],
  [193, 'nextHeaderIPv6', 'unsigned', 1],
  [195, 'ipDiffServCodePoint', 'unsigned', 1],
  [196, 'ipPrecedence', 'unsigned', 1],
  [197, 'fragmentFlags', 'unsigned', 1],
  [198, 'octetDeltaSumOfSquares', 'unsigned', 8],
  [199, 'octetTotalSumOfSquares', 'unsigned', 8],
  [205, 'udpMessageLength', 'unsigned', 2, 'octets'],
  [206, 'isMulticast', 'unsigned', 1],
  [207, 'ipv4IHL', 'unsigned', 1, '4-octet words'],
  [210, 'paddingOctets', 'octetArray', 0],
  [211, 'collectorIPv4Address', 'ipv4Address', 4],
  [212, 'collectorIPv6Address', 'ipv6Address', 16],
  [218, 'tcpSynTotalCount', 'unsigned', 8, 'packets'],
  [219, 'tcpFinTotalCount', 'unsigned', 8, 'packets'],
  [220, 'tcpRstTotalCount', 'unsigned', 8, 'packets'],
  [221, 'tcpPshTotalCount', 'unsigned', 8, 'packets'],
  [222, 'tcpAckTotalCount', 'unsigned', 8, 'packets'],
  [223, 'tcpUrgTotalCount', 'unsigned', 8, 'packets'],
  [224, 'ipTotalLength', 'unsigned', 8, 'octets'],
  [225, 'postNATSourceIPv4Address', 'ipv4Address', 4],
  [226, 'postNATDestinationIPv4Address', 'ipv4Address', 4],
  [227, 'postNAPTSourceTransportPort', 'unsigned', 2],
  [228, 'postNAPTDestinationTransportPort', 'unsigned', 2],
  [231, 'initiatorOctets', 'unsigned', 8, 'octets'],
  [232, 'responderOctets', 'unsigned', 8, 'octets'],
  [234, 'ingressVRFID', 'unsigned', 4],
  [235, 'egressVRFID', 'unsigned', 4],
  [236, 'VRFname', 'string', 0],
  [239, 'biflowDirection', 'unsigned', 1],
  [240, 'ethernetHeaderLength', 'unsigned', 1, 'octets'],
  [241, 'ethernetPayloadLength', 'unsigned', 2, 'octets'],
  [242, 'ethernetTotalLength', 'unsigned', 2, 'octets'],
  [243, 'dot1qVlanId', 'unsigned', 2],
  [244, 'dot1qPriority', 'unsigned', 1],
  [245, 'dot1qCustomerVlanId', 'unsigned', 2],
  [246, 'dot1qCustomerPriority', 'unsigned', 1],
  [252, 'ingressPhysicalInterface', 'unsigned', 4],
  [253, 'egressPhysicalInterface', 'unsigned', 4],
  [254, 'postDot1qVlanId', 'unsigned', 2],
  [255, 'postDot1qCustomerVlanId', 'unsigned', 2],
  [256, 'ethernetType', 'unsigned', 2],
  [257, 'postIpPrecedence', 'unsigned', 1],
  [276, 'dataRecordsReliability', 'boolean', 1],
  [291, 'basicList', 'structured', 0],
  [292, 'subTemplateList', 'structured', 0],
  [293, 'subTemplateMultiList', 'structured', 0],
  [300, 'observationDomainName', 'string', 0],
  [301, 'selectionSequenceId', 'unsigned', 8],
  [302, 'selectorId', 'unsigned', 8],
  [303, 'informationElementId', 'unsigned', 2],
  [304, 'selectorAlgorithm', 'unsigned', 2],
  [305, 'samplingPacketInterval', 'unsigned', 4, 'packets'],
  [306, 'samplingPacketSpace', 'unsigned', 4, 'packets'],
  [307, 'samplingTimeInterval', 'unsigned', 4, 'microseconds'],
  [308, 'samplingTimeSpace', 'unsigned', 4, 'microseconds'],
  [309, 'samplingSize', 'unsigned', 4, 'packets'],
  [310, 'samplingPopulation', 'unsigned', 4, 'packets'],
  [311, 'samplingProbability', 'float', 8],
  [312, 'dataLinkFrameSize', 'unsigned', 2, 'octets'],
  [313, 'ipHeaderPacketSection', 'octetArray', 0],
  [314, 'ipPayloadPacketSection', 'octetArray', 0],
  [315, 'dataLinkFrameSection', 'octetArray', 0],
  [318, 'selectorIdTotalPktsObserved', 'unsigned', 8, 'packets'],
  [319, 'selectorIdTotalPktsSelected', 'unsigned', 8, 'packets'],
  [322, 'observationTimeSeconds', 'dateTimeSeconds', 4, 'seconds'],
  [323, 'observationTimeMilliseconds', 'dateTimeMilliseconds', 8, 'milliseconds'],
  [324, 'observationTimeMicroseconds', 'dateTimeMicroseconds', 8, 'microseconds'],
  [325, 'observationTimeNanoseconds', 'dateTimeNanoseconds', 8, 'nanoseconds'],
  [339, 'informationElementDataType', 'unsigned', 1],
  [340, 'informationElementDescription', 'string', 0],
  [341, 'informationElementName', 'string', 0],
  [342, 'informationElementRangeBegin', 'unsigned', 8],
  [343, 'informationElementRangeEnd', 'unsigned', 8],
  [344, 'informationElementSemantics', 'unsigned', 1],
  [345, 'informationElementUnits', 'unsigned', 2],
  [346, 'privateEnterpriseNumber', 'unsigned', 4],
  [351, 'layer2SegmentId', 'unsigned', 8],
  [352, 'layer2OctetDeltaCount', 'unsigned', 8, 'octets'],
  [353, 'layer2OctetTotalCount', 'unsigned', 8, 'octets'],
  [354, 'ingressUnicastPacketTotalCount', 'unsigned', 8, 'packets'],
  [355, 'ingressMulticastPacketTotalCount', 'unsigned', 8, 'packets'],
  [356, 'ingressBroadcastPacketTotalCount', 'unsigned', 8, 'packets'],
  [357, 'egressUnicastPacketTotalCount', 'unsigned', 8, 'packets'],
  [358, 'egressBroadcastPacketTotalCount', 'unsigned', 8, 'packets'],
  [368, 'ingressInterfaceType', 'unsigned', 4],
  [369, 'egressInterfaceType', 'unsigned', 4],
  [371, 'userName', 'string', 0],
];

const VMWARE_ROWS: readonly Row[] = [
  [891, 'tunnelType', 'unsigned', 1],
  [892, 'tunnelKey', 'octetArray', 0],
  [893, 'tunnelSourceIPv4Address', 'ipv4Address', 4],
  [894, 'tunnelDestinationIPv4Address', 'ipv4Address', 4],
  [895, 'tunnelProtocolIdentifier', 'unsigned', 1],
  [896, 'tunnelSourceTransportPort', 'unsigned', 2],
  [897, 'tunnelDestinationTransportPort', 'unsigned', 2],
  [898, 'virtualObsID', 'string', 0],
];

/** All elements that have a name here. */
export const ELEMENTS: readonly Element[] = [
  ...IANA_ROWS.map((row) => elementOf(row, 0)),
  ...VMWARE_ROWS.map((row) => elementOf(row, ENTERPRISE_VMWARE)),
];

const byNumber = new Map(ELEMENTS.map((element) => [numberKey(element.id, element.enterprise), element]));
const byName = new Map(ELEMENTS.map((element) => [element.name, element]));

/** Returns the element of that number, or undefined when the table does not have it. */
export function findElement(id: number, enterprise = 0): Element | undefined {
  return byNumber.get(numberKey(id, enterprise));
}

/** Returns the element of that name, which must exist. */
export function elementNamed(name: string): Element {
  const element = byName.get(name);
  if (element === undefined) {
    throw new Error(`information element "${name}" is not in the table of elements`);
  }
  return element;
}

/** Values of flowEndReason (element 136). */
export const FLOW_END_REASON_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'idleTimeout'],
  [2, 'activeTimeout'],
  [3, 'endOfFlowDetected'],
  [4, 'forcedEnd'],
  [5, 'lackOfResources'],
]);

function elementOf([id, name, type, size, units = '']: Row, enterprise: number): Element {
  return { id, enterprise, name, type, size, units };
}

/** Enterprise numbers have 32 bits and element numbers 15, so the key is exact in a double. */
function numberKey(id: number, enterprise: number): number {
  return enterprise * 0x8000 + id;
}
