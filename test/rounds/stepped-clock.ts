// A module for a daemon's process, which steps its wall clock by an hour at each SIGUSR2, forwards and back in turn.

const SOURCE = `
const now = Date.now;
let step = 0;
Date.now = () => now() + step;
process.on('SIGUSR2', () => { step = step === 0 ? 3_600_000 : 0; });
`;

/** For node's option --import. */
export const STEPPED_CLOCK = `data:text/javascript,${encodeURIComponent(SOURCE)}`;
