// The registry of the control socket's commands. The composition root registers the commands of each part; the server runs them
// by name.

import { UnixctlError } from './errors.ts';

/** The format of a connection's answers: `ovs-appctl --format`, OVS 3.4 and later. */
export type AnswerFormat = 'text' | 'json';

/** An answer as text and as JSON. */
export interface FormattedAnswer {
  readonly text: string;
  /** A value for `JSON.stringify`. */
  readonly json: unknown;
}

/** The state of the connection that a command came over. */
export interface CommandContext {
  format: AnswerFormat;
}

/** Answers a command. A thrown `UnixctlError` with the code UNIXCTL_REFUSED is sent to the operator. */
export type CommandHandler = (args: readonly string[], context: CommandContext) => Answer | Promise<Answer>;

type Answer = string | FormattedAnswer;

/** Refuses a command; `ovs-appctl` prints the sentence. */
export function refuse(sentence: string): never {
  throw new UnixctlError('UNIXCTL_REFUSED', sentence);
}

/** One command. */
export interface Command {
  readonly name: string;
  /** Its arguments, as `list-commands` shows them: `[module[:level]]...`. */
  readonly usage: string;
  readonly argumentsMin: number;
  readonly argumentsMax: number;
  readonly handler: CommandHandler;
}

/** The commands by name, including those of every daemon of OVS: `list-commands`, `version` and `set-options`. */
export class CommandRegistry {
  readonly #commands = new Map<string, Command>();

  /** `version` is the answer to that command, such as `ovs-ipfix 0.2.0`. */
  constructor(version: string) {
    this.register('list-commands', '', 0, 0, () => this.#list());
    this.register('version', '', 0, 0, () => version);
    this.register('set-options', '[--format text|json]', 1, 2, (args, context) => {
      context.format = readFormat(args);
      return '';
    });
  }

  /** Adds a command; throws when the name is registered already. */
  register(
    name: string,
    usage: string,
    argumentsMin: number,
    argumentsMax: number,
    handler: CommandHandler,
  ): void {
    if (this.#commands.has(name)) {
      throw new RangeError(`The command ${name} is registered already.`);
    }
    this.#commands.set(name, { name, usage, argumentsMin, argumentsMax, handler });
  }

  /**
   * Runs a command; refuses an unknown one and a wrong number of arguments. The answer is a string, or a value for JSON if the
   * connection has that format; an answer that is only text is then wrapped in an object, as in OVS.
   */
  async run(name: string, args: readonly string[], context: CommandContext): Promise<unknown> {
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
    const answer = await command.handler(args, context);
    if (context.format === 'json' && name !== 'set-options') {
      return typeof answer === 'string' ? { 'reply-format': 'plain', reply: answer } : answer.json;
    }
    return typeof answer === 'string' ? answer : answer.text;
  }

  #list(): string {
    const lines = [...this.#commands.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, usage }) => `  ${name.padEnd(23)} ${usage}`.trimEnd());
    return ['The available commands are:', ...lines].join('\n');
  }
}

/** Parses `--format json` or `--format=json`. */
function readFormat(args: readonly string[]): AnswerFormat {
  const [option, value] = args.length === 1 ? (args[0] ?? '').split('=', 2) : args;
  if (option !== '--format') {
    refuse(`"${args[0]}" is not a valid option; set-options takes --format only.`);
  }
  if (value !== 'text' && value !== 'json') {
    refuse(`"${value}" is not a valid format; write text or json.`);
  }
  return value;
}
