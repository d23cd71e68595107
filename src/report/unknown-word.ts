// The error for an operator's request that names something unknown.

/** The message is a sentence for the operator. */
export class UnknownWord extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnknownWord';
  }
}
