// What an operator has asked for and we do not know.

/** The message is a sentence for whoever asked. */
export class UnknownWord extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnknownWord';
  }
}
