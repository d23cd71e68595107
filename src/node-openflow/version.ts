// The versions of OpenFlow that this library supports, by the number in the header of each message.

/** Wire version number: 1 is OpenFlow 1.0, 4 is 1.3, 5 is 1.4, 6 is 1.5. OpenFlow 1.1 and 1.2 are not supported. */
export type OpenFlowVersion = 1 | 4 | 5 | 6;

/** The supported versions, lowest first. */
export const OPENFLOW_VERSIONS: readonly OpenFlowVersion[] = [1, 4, 5, 6];

/** The names of all versions, for messages. */
const VERSION_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'OpenFlow 1.0'],
  [2, 'OpenFlow 1.1'],
  [3, 'OpenFlow 1.2'],
  [4, 'OpenFlow 1.3'],
  [5, 'OpenFlow 1.4'],
  [6, 'OpenFlow 1.5'],
]);

/** Returns the name of a version: "OpenFlow 1.3". */
export function versionName(version: number): string {
  return VERSION_NAMES.get(version) ?? `OpenFlow wire version ${version}`;
}

/** Whether this library supports the version of that wire number. */
export function isOpenFlowVersion(version: number): version is OpenFlowVersion {
  return version === 1 || version === 4 || version === 5 || version === 6;
}
