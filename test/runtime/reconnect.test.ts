// Tests of the connection's state machine by scripts: events, and the state after each, like OVS's tests/reconnect.at.
// Times are in milliseconds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reconnect, type ReconnectOptions } from '../../src/runtime/reconnect.ts';

type Event =
  | 'enable'
  | 'disable'
  | 'connecting'
  | 'connected'
  | 'activity'
  | 'connectFailed'
  | 'disconnected'
  | 'reconnectNow';

/** Runs a script: `+MS` advances time, `run` calls `run`, anything else is an event. Returns a line for each. */
function play(script: string, options: Partial<ReconnectOptions> = {}): string {
  const machine = new Reconnect(options);
  let nowMs = 1000;
  return script
    .trim()
    .split(/\s+/)
    .map((word) => {
      let said = '';
      if (word.startsWith('+')) {
        nowMs += Number(word);
      } else if (word === 'run') {
        said = ` -> ${machine.run(nowMs) ?? 'nothing'}`;
      } else {
        machine[word as Event](nowMs);
      }
      const deadline = machine.deadlineMs();
      const due = deadline === undefined ? 'never' : `in ${deadline - nowMs}`;
      return `${word}${said}: ${machine.state}, ${due}`;
    })
    .join('\n');
}

function lines(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
}

test('makes the first attempt immediately, and doubles the backoff with each failure up to its maximum', () => {
  assert.equal(
    play(`run enable run connecting connectFailed run +999 run +1 run connecting connectFailed +2000 run
      connecting connectFailed connecting connectFailed connecting connectFailed +8000 run`),
    lines(`
      run -> nothing: void, never
      enable: backoff, in 0
      run -> connect: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 1000
      run -> nothing: backoff, in 1000
      +999: backoff, in 1
      run -> nothing: backoff, in 1
      +1: backoff, in 0
      run -> connect: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 2000
      +2000: backoff, in 0
      run -> connect: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 4000
      connecting: connecting, in 10000
      connectFailed: backoff, in 8000
      connecting: connecting, in 10000
      connectFailed: backoff, in 8000
      +8000: backoff, in 0
      run -> connect: backoff, in 0`),
  );
});

test('resets the backoff after a connection that lasted as long as the last backoff', () => {
  assert.equal(
    play(`enable connecting connectFailed connecting connectFailed connecting connected +1999 activity disconnected
      connecting connected +4000 activity disconnected`),
    lines(`
      enable: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 1000
      connecting: connecting, in 10000
      connectFailed: backoff, in 2000
      connecting: connecting, in 10000
      connected: active, in 5000
      +1999: active, in 3001
      activity: active, in 5000
      disconnected: backoff, in 4000
      connecting: connecting, in 10000
      connected: active, in 5000
      +4000: active, in 1000
      activity: active, in 5000
      disconnected: backoff, in 1000`),
  );
});

test('probes a silent peer: an answer makes it active again, and no answer ends the connection', () => {
  assert.equal(
    play('enable connecting connected +5000 run run +4999 activity +5000 run +4999 run +1 run disconnected'),
    lines(`
      enable: backoff, in 0
      connecting: connecting, in 10000
      connected: active, in 5000
      +5000: active, in 0
      run -> probe: idle, in 5000
      run -> nothing: idle, in 5000
      +4999: idle, in 1
      activity: active, in 5000
      +5000: active, in 0
      run -> probe: idle, in 5000
      +4999: idle, in 1
      run -> nothing: idle, in 1
      +1: idle, in 0
      run -> disconnect: idle, in 0
      disconnected: backoff, in 1000`),
  );
});

test('does not probe with a probe interval of 0', () => {
  assert.equal(
    play('enable connecting connected +9999999 run', { probeIntervalMs: 0 }),
    lines(`
      enable: backoff, in 0
      connecting: connecting, in 10000
      connected: active, never
      +9999999: active, never
      run -> nothing: active, never`),
  );
});

test('ends an attempt that takes too long', () => {
  assert.equal(
    play('enable connecting +299 run +1 run connectFailed', { connectTimeoutMs: 300 }),
    lines(`
      enable: backoff, in 0
      connecting: connecting, in 300
      +299: connecting, in 1
      run -> nothing: connecting, in 1
      +1: connecting, in 0
      run -> disconnect: connecting, in 0
      connectFailed: backoff, in 1000`),
  );
});

test('disconnects and retries without backoff when told to reconnect', () => {
  assert.equal(
    play(`enable connecting connectFailed connecting connectFailed reconnectNow run connecting connectFailed
      connecting connected reconnectNow run disconnected run`),
    lines(`
      enable: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 1000
      connecting: connecting, in 10000
      connectFailed: backoff, in 2000
      reconnectNow: backoff, in 0
      run -> connect: backoff, in 0
      connecting: connecting, in 10000
      connectFailed: backoff, in 1000
      connecting: connecting, in 10000
      connected: active, in 5000
      reconnectNow: active, in 0
      run -> disconnect: active, in 0
      disconnected: backoff, in 0
      run -> connect: backoff, in 0`),
  );
});

test('requests no action while disabled, whatever happens', () => {
  assert.equal(
    play('reconnectNow run enable connecting connected disable run disconnected +99999 run'),
    lines(`
      reconnectNow: void, never
      run -> nothing: void, never
      enable: backoff, in 0
      connecting: connecting, in 10000
      connected: active, in 5000
      disable: void, never
      run -> nothing: void, never
      disconnected: void, never
      +99999: void, never
      run -> nothing: void, never`),
  );
});
