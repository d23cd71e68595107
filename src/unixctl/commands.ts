// The commands that the control socket offers. Each part of the daemon that has something to say registers its own at
// the composition root; the server only looks them up.

import { UnixctlError } from './errors.ts';

/** In what form a connection wants its answers: `ovs-appctl --format`, from OVS 3.4 on. */
export type AnswerFormat = 'text' | 'json';

/** An answer that has a form for programs beside that for people. */
export interface FormattedAnswer {
  readonly text: string;
  /** A value for `JSON.stringify`. */
  readonly json: unknown;
}

/** What a command may know of the connection that it came over. */
export interface CommandContext {
  format: AnswerFormat;
}

/** Answers a command. A thrown `UnixctlError` of code UNIXCTL_REFUSED is the operator's answer, too. */
export type CommandHandler = (args: readonly string[], context: CommandContext) => Answer | Promise<Answer>;

type Answer = string | FormattedAnswer;

/** A refusal: the sentence is what `ovs-appctl` shows. */
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

/** The commands by name, with those that every daemon of OVS has: `list-commands`, `version` and `set-options`. */
export class CommandRegistry {
  readonly #commands = new Map<string, Command>();

  /** `version` is the answer to that command, such as `ovs-ipfix 0.1.0`. */
  constructor(version: string) {
    this.register('list-commands', '', 0, 0, () => this.#list());
    this.register('version', '', 0, 0, () => version);
    this.register('set-options', '[--format text|json]', 1, 2, (args, context) => {
      context.format = readFormat(args);
      return '';
    });
  }

  /** Adds a command; a name can be taken once. */
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
   * Runs a command; refuses one that does not exist or has too few or too many arguments. The answer is a string, or a
   * value for JSON where the context asks for that; an answer that is only text then becomes an object, as with OVS.
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

/** `--format json` or `--format=json`. */
function readFormat(args: readonly string[]): AnswerFormat {
  const [option, value] = args.length === 1 ? (args[0] ?? '').split('=', 2) : args;
  if (option !== '--format') {
    refuse(`set-options knows --format only, not "${args[0]}".`);
  }
  if (value !== 'text' && value !== 'json') {
    refuse(`There are the formats text and json, not "${value}".`);
  }
  return value;
}
