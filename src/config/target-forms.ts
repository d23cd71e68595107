// The forms of a target that `IPFIX.targets` and `external_ids:ovs-ipfix-targets` have: with the transport in front, or without
// one for UDP. ovs-vswitchd exports over UDP only and cannot read a transport, so that some targets are for the daemon alone.

/** What a target may begin with, as in `tcp:192.0.2.1:4739` or `file:%Y%m%d%H%M.ipfix`. */
const TARGET_TRANSPORTS = ['udp', 'tcp', 'tls', 'file'] as const;
export type TargetTransport = (typeof TARGET_TRANSPORTS)[number];

const WITH_TRANSPORT = new RegExp(`^(?<transport>${TARGET_TRANSPORTS.join('|')}):(?<rest>.*)$`, 'su');

/** Splits the transport off a target; UDP without one. */
export function splitTransport(text: string): { readonly transport: TargetTransport; readonly rest: string } {
  const { transport = 'udp', rest = text } = WITH_TRANSPORT.exec(text)?.groups ?? {};
  return { transport: transport as TargetTransport, rest };
}

/** Whether ovs-vswitchd could export to a target, once it is written without `udp:`. */
function isForSwitch(text: string): boolean {
  return splitTransport(text).transport === 'udp';
}

/** Returns the targets that ovs-vswitchd can export to, in the form that it reads: without `udp:`. */
export function switchTargets(texts: readonly string[]): readonly string[] {
  const plain = texts.filter((text) => !WITH_TRANSPORT.test(text));
  const prefixed = texts.filter((text) => WITH_TRANSPORT.test(text) && isForSwitch(text));
  const added = new Set(prefixed.map((text) => splitTransport(text).rest));
  return [...plain, ...[...added].filter((text) => !plain.includes(text))];
}

/** Returns the targets that only the daemon can export to. */
export function daemonTargets(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => !isForSwitch(text));
}

/** Returns the targets that ovs-vswitchd cannot export to as they are written: those with a transport, `udp:` included. */
export function unreadableTargets(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => WITH_TRANSPORT.test(text));
}

/** Whether there are targets and only the daemon can export to them: ovs-vswitchd does not export for such a column. */
export function areOnlyForDaemon(texts: readonly string[]): boolean {
  return texts.length > 0 && !texts.some(isForSwitch);
}
