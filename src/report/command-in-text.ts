// Finds the command in an action, for copying: the actions of conditions and findings quote it.

const COMMAND =
  /"(?<command>(?:ovs-(?:vsctl|ofctl|appctl|ipfix|dpctl)|systemctl|chronyc|timedatectl|sysctl|ip|openssl|apt-get|nfcapd|kill) (?:[^"\\]|\\.)+)"/u;
/** What the reader has to replace: three dots, a word such as `UUID` (IPFIX is a table), an address for examples (RFC 5737). */
const PLACEHOLDER = /\.{3}|\b192\.0\.2\.|(?<![\w-])(?!IPFIX\b)[A-Z]{2}[A-Z\d_]*(?![\w-])/u;
/** What a shell interprets. Names in commands are those of the database. */
const SHELL = /[;&|<>$`()*?!#~'\n]/u;

/** Returns the first command that a text quotes; undefined without one, or when it cannot be run as it stands. */
export function commandIn(text: string): string | undefined {
  const command = COMMAND.exec(text)?.groups?.['command'];
  return command === undefined || PLACEHOLDER.test(command) || SHELL.test(command) ? undefined : command;
}
