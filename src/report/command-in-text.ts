// Finds the command in an action, for copying: the actions of conditions and findings quote it.

const COMMAND =
  /"(?<command>(?:ovs-(?:vsctl|ofctl|appctl|ipfix|dpctl)|systemctl|chronyc|timedatectl|sysctl|ip|openssl|apt-get|nfcapd|kill) [^"]+)"/u;

/** Returns the first command that a text quotes; undefined without one. */
export function commandIn(text: string): string | undefined {
  return COMMAND.exec(text)?.groups?.['command'];
}
