// The commands that the control socket offers. Each part of the daemon that has something to say registers its own at
// the composition root; the server only looks them up.

import { UnixctlError } from './errors.ts';

/** Answers a command. A thrown `UnixctlError` of code UNIXCTL_REFUSED is the operator's answer, too. */
export type CommandHandler = (args: readonly string[]) => string | Promise<string>;

/** One command. */
export interface Command {
  readonly name: string;
  /** Its arguments, as `list-commands` shows them: `[module[:level]]...`. */
  readonly usage: string;
  readonly argumentsMin: number;
  readonly argumentsMax: number;
  readonly handler: CommandHandler;
}

/** The commands by name, with the two that every daemon of OVS has: `list-commands` and `version`. */
export class CommandRegistry {
  readonly #commands = new Map<string, Command>();

  /** `version` is the answer to that command, such as `ovs-ipfix 0.1.0`. */
  constructor(version: string) {
    this.register('list-commands', '', 0, 0, () => this.#list());
    this.register('version', '', 0, 0, () => version);
  }

  /** Adds a command; a name can be taken once. */
  register(
    name: string,
    usage: string,
    argumentsMin: number,
    argumentsMax: number,
    handler: CommandHandler,
  ): void {
    if (this.#commands.has(name)) throw new RangeError(`The command ${name} is registered already.`);
    this.#commands.set(name, { name, usage, argumentsMin, argumentsMax, handler });
  }

  /** Runs a command; refuses one that does not exist or has too few or too many arguments. */
  async run(name: string, args: readonly string[]): Promise<string> {
    const command = this.#commands.get(name);
    if (command === undefined) {
      throw new UnixctlError('UNIXCTL_REFUSED', `There is no command "${name}"; list-commands shows all.`);
    }
    const { argumentsMin, argumentsMax } = command;
    if (args.length < argumentsMin || args.length > argumentsMax) {
      const range =
        argumentsMin === argumentsMax
          ? `exactly ${argumentsMin}`
          : args.length < argumentsMin
            ? `at least ${argumentsMin}`
            : `at most ${argumentsMax}`;
      throw new UnixctlError(
        'UNIXCTL_REFUSED',
        `The command ${name} takes ${range} arguments and got ${args.length}. Usage: ${`${name} ${command.usage}`.trim()}`,
      );
    }
    return command.handler(args);
  }

  #list(): string {
    const lines = [...this.#commands.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, usage }) => `  ${name.padEnd(23)} ${usage}`.trimEnd());
    return ['The available commands are:', ...lines].join('\n');
  }
}
