// What is measured, and the bounds that must hold. An experiment runs the load generator once against each of its
// sides, alternating; a row of the table is one figure of one side, with its bound:
//   most         the maximum of the figure
//   ratio_most   the maximum of the figure divided by the same figure of the side `against` (`called`, in the table)
// A row without a bound is only reported. `valid` returns true, or why a run does not count. `frames_of` names the
// protocol whose delivered frames the floor imitates. An experiment that does not use the load generator has its own
// `turn`, which yields its sides.
import { createHmac } from 'node:crypto';

import { file_turn } from './files.mjs';

const floor = (...load) => ({ program: 'floor', load });
const flux = (...load) => ({ program: 'flux', threads: 1, load });
const flux_on_two_loops = (...load) => ({ program: 'flux', threads: 2, load });

/// Each client shows a token, and is known to the others by its user.
function known(path, ...load) {
  const secret = 'the benchmark signs its own tokens';
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: 'bench', permissions: ['read:*', 'write:*'], exp: Math.floor(Date.now() / 1000) + 86_400 };
  const signed = `${part({ alg: 'HS256' })}.${part(claims)}`;
  const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  const side = flux(...load, '--path', `${path}access_token=${token}`);
  return { ...side, options: ['--require-auth'], env: { FLUX_JWT_SECRET: secret } };
}

/// The same with permissions and limits: the room demands a permission for each act, and the rates of connection, user and
/// operation are far above what is sent.
function permitted(path, ...load) {
  const side = known(path, ...load);
  const rate = 1_000_000_000;
  const options = ['join', 'history'].flatMap((act) => ['--demand', `${act}=read`]);
  options.push('--demand', 'events=write', '--rate-limit', `broadcast_event=${rate}/1`);
  for (const limit of ['message', 'user-message']) {
    options.push(`--${limit}s-per-second`, rate, `--${limit}-burst`, rate);
  }
  return { ...side, options: [...side.options, ...options] };
}

const cost = { figure: 'server_us_per_frame', unit: 'µs' };

function fanout(window, ratio_most, { seconds, delivered_bytes }) {
  const load = ['fanout', '--window', window, '--secs', seconds];
  const title = `room of 1,000, ${window} in flight: CPU per delivered frame`;
  return {
    name: `fanout_${window}`,
    frames_of: 'live',
    sides: {
      floor: floor(...load, '--protocol', 'raw', '--payload-bytes', delivered_bytes?.live),
      flux: flux(...load),
      'two loops': flux_on_two_loops(...load),
      permitted: permitted('/live?', ...load),
    },
    rows: [
      { title, side: 'flux', against: 'floor', ...cost, ratio_most },
      {
        title: `${title}, --threads 2`,
        side: 'two loops', against: 'flux', called: 'one loop', ...cost, ratio_most: 1.25,
      },
      { title: `${title}, with permissions and limits`, side: 'permitted', against: 'floor', ...cost, ratio_most },
    ],
  };
}

function channel_fanout(window, ratio_most, { seconds, delivered_bytes }) {
  const load = ['fanout', '--window', window, '--secs', seconds];
  return {
    name: `channel_fanout_${window}`,
    frames_of: 'channels',
    sides: {
      floor: floor(...load, '--protocol', 'raw', '--payload-bytes', delivered_bytes?.channels),
      flux: flux(...load, '--protocol', 'channels'),
    },
    rows: [
      {
        title: `channel of 1,000, ${window} in flight: CPU per delivered frame`,
        side: 'flux', against: 'floor', ...cost, ratio_most,
      },
    ],
  };
}

/// The floor sends frames of the size of the data of an event, which also has an id.
function channel_events(window, { seconds, delivered_bytes }) {
  const load = ['fanout', '--window', window, '--secs', seconds];
  return {
    name: `channel_events_${window}`,
    frames_of: 'events',
    sides: {
      floor: floor(...load, '--protocol', 'raw', '--payload-bytes', delivered_bytes?.events),
      flux: flux(...load, '--protocol', 'events'),
    },
    rows: [
      {
        title: `channel of 1,000 readers of server-sent events, ${window} in flight: CPU per delivered event`,
        side: 'flux', against: 'floor', ...cost, ratio_most: 1.25,
      },
    ],
  };
}

/// A connection alone takes less than 1,200 bytes; so this bounds a subscription to 250.
function channel_idle() {
  const load = ['idle', '--protocol', 'channels', '--conns', 1_000, '--subscriptions', 100];
  return {
    name: 'channel_idle',
    sides: { flux: flux(...load) },
    rows: [
      {
        title: '1,000 connections with 100 subscriptions each, to channels of their own: resident memory of each',
        side: 'flux', ...memory, most: 26_200,
      },
    ],
  };
}

/// A whole server with a million subscriptions.
function channel_million() {
  const load = ['idle', '--protocol', 'channels', '--conns', 10_000, '--subscriptions', 100];
  return {
    name: 'channel_million',
    sides: { flux: flux(...load) },
    rows: [
      {
        title: '10,000 connections with 100 subscriptions each: resident memory of all',
        side: 'flux', figure: 'resident_bytes_grown', unit: 'B', most: 512 * 2 ** 20,
      },
    ],
  };
}

/// 1,000 channels, in each of which every client has missed one publication.
function channel_recover() {
  const load = ['recover', '--conns', 10_000, '--subscriptions', 10];
  return {
    name: 'channel_recover',
    sides: { flux: { ...flux(...load), options: ['--channel-history', '10'] } },
    valid: (run) => run.missed === 100_000 || `only ${run.missed} of 100,000 publications were recovered`,
    rows: [
      {
        title: '10,000 connections come back with 10 positions each: until all have what they missed',
        side: 'flux', figure: 'seconds_to_all', unit: 's', most: 3,
      },
    ],
  };
}

function socketio_fanout(window, ratio_most, { seconds, delivered_bytes }) {
  const load = ['fanout', '--window', window, '--secs', seconds];
  const title = `room of 1,000 Socket.IO clients, ${window} in flight: CPU per delivered frame`;
  return {
    name: `socketio_fanout_${window}`,
    frames_of: 'socketio',
    sides: {
      floor: floor(...load, '--protocol', 'raw', '--payload-bytes', delivered_bytes?.socketio),
      flux: flux(...load, '--protocol', 'socketio'),
      permitted: permitted('/socket.io/?EIO=4&transport=websocket&', ...load, '--protocol', 'socketio'),
    },
    rows: [
      { title, side: 'flux', against: 'floor', ...cost, ratio_most },
      { title: `${title}, with permissions and limits`, side: 'permitted', against: 'floor', ...cost, ratio_most },
    ],
  };
}

function echo(window, { seconds }) {
  const load = ['echo', '--window', window, '--secs', seconds];
  return {
    name: `echo_${window}`,
    sides: { floor: floor(...load), flux: flux(...load) },
    rows: [
      {
        title: `echo, 100 connections, ${window} in flight each: CPU per frame`,
        side: 'flux', against: 'floor', ...cost, ratio_most: 1.1,
      },
    ],
  };
}

const memory = { figure: 'resident_bytes_per_conn', unit: 'B' };

function idle() {
  return {
    name: 'idle',
    sides: {
      floor: floor('idle', '--protocol', 'raw'),
      flux: flux('idle'),
      'in rooms': flux('idle', '--room-size', 10, '--presence-bytes', 60),
    },
    rows: [
      { title: '10,000 idle connections: resident memory of each', side: 'flux', ...memory, most: 1000 },
      {
        title: '10,000 connections in rooms of 10, presence of 60 bytes: resident memory of each',
        side: 'in rooms', ...memory, most: 2000,
      },
      { title: 'for comparison, 10,000 idle connections on the floor', side: 'floor', ...memory },
    ],
  };
}

function socketio_idle() {
  const title = '10,000 idle Socket.IO clients over WebSocket: resident memory of each';
  return {
    name: 'socketio_idle',
    sides: {
      flux: flux('idle', '--protocol', 'socketio'),
      chromium: { ...flux('idle', '--protocol', 'socketio', '--headers', 'chromium'), options: ['--origin', '*'] },
    },
    rows: [
      { title, side: 'flux', ...memory, most: 2000 },
      { title: 'the same with the header fields of Chromium', side: 'chromium', ...memory, most: 2000 },
    ],
  };
}

function join_storm() {
  const title = '1,000 connections join one room at once';
  return {
    name: 'join_storm',
    sides: { flux: flux('join_storm') },
    valid: (run) => run.complete === run.conns || `only ${run.complete} of ${run.conns} knew all members`,
    rows: [
      { title: `${title}: until each knows every member`, side: 'flux', figure: 'seconds_to_full', unit: 's', most: 2 },
      { title: `${title}: frames sent`, side: 'flux', figure: 'frames', unit: '', most: 60_000 },
      { title: `${title}: CPU time`, side: 'flux', figure: 'server_cpu_s', unit: 's' },
    ],
  };
}

function presence({ seconds }) {
  const title = '200 members, presence at 10 Hz each';
  return {
    name: 'presence',
    // A run shorter than two seconds would mostly measure its own start and end.
    sides: { flux: flux('presence', '--secs', Math.max(2, seconds)) },
    valid: (run) => {
      if (run.sent_percent < 95) return `the load generator sent only ${run.sent_percent}% of the updates`;
      return run.delivered_percent > 95 || `only ${run.delivered_percent}% of the updates arrived`;
    },
    rows: [
      { title: `${title}: share of a core`, side: 'flux', figure: 'server_cpu_percent', unit: '%', most: 25 },
      { title: `${title}: updates that reached the others`, side: 'flux', figure: 'delivered_percent', unit: '%' },
    ],
  };
}

function rooms_echo({ seconds }) {
  const title = '100 rooms of 10, each member sends once acknowledged: CPU per frame';
  const load = ['rooms_echo', '--secs', seconds];
  return {
    name: 'rooms_echo',
    sides: { flux: flux(...load), known: known('/live?', ...load), permitted: permitted('/live?', ...load) },
    rows: [
      { title, side: 'flux', ...cost },
      { title: `${title}, clients with tokens, whose user the frames name`, side: 'known', ...cost },
      {
        title: `${title}, the same with permissions and limits`,
        side: 'permitted', against: 'known', called: 'without', ...cost, ratio_most: 1.02,
      },
    ],
  };
}

function polling({ seconds }) {
  // Each sends one event a second, so a run must last several seconds.
  const paced = (protocol, members, senders, clients) =>
    flux('paced', '--protocol', protocol, '--room-size', members, '--senders', senders, '--conns', clients,
      '--secs', Math.max(3, seconds));
  const rows = (title, side) => [
    { title: `${title}: share of a core`, side, figure: 'server_cpu_percent', unit: '%' },
    { title: `${title}: p99 latency`, side, figure: 'p99_us', unit: 'µs' },
  ];
  return {
    name: 'polling',
    sides: {
      receive: paced('polling', 11, 1, 1100),
      'send and receive': paced('polling', 2, 2, 1000),
      'receive, WebSocket': paced('socketio', 11, 1, 1100),
    },
    valid: (run) => {
      if (run.sent_percent < 95) return `the load generator sent only ${run.sent_percent}% of the events`;
      return run.delivered_percent === 100 || `${run.delivered_percent}% of the events arrived`;
    },
    rows: [
      ...rows('1,000 polling clients get an event a second each, from 100 that send', 'receive'),
      ...rows('1,000 polling clients send an event a second each, and get one', 'send and receive'),
      ...rows('for comparison, the first over WebSocket', 'receive, WebSocket'),
    ],
  };
}

function files({ file_bytes, disk }) {
  const size = `a file of ${file_bytes / 2 ** 20} MiB`;
  const rows = (title, side) => [
    { title: `${title}: time`, side, against: 'cp', figure: 'seconds', unit: 's', ratio_most: 2 },
    { title: `${title}: resident memory grows by`, side, figure: 'resident_bytes_grown', unit: 'B', most: 32 * 2 ** 20 },
  ];
  return {
    name: 'files',
    sides: { cp: {}, up: {}, down: {} },
    turn: (bin) => file_turn(bin, { disk, file_bytes }),
    rows: [...rows(`${size} uploaded over HTTP`, 'up'), ...rows(`${size} downloaded over HTTP`, 'down')],
  };
}

/// `seconds`: how long each run measures. `delivered_bytes`: by protocol, the size of the frame that a room member
/// receives, so that the floor sends frames of exactly that size. `disk`: the folder for the files of `file_bytes`,
/// which decides the disk that is measured.
export function experiments(setup) {
  return [
    fanout(1, 1.1, setup),
    fanout(8, 1.15, setup),
    echo(1, setup),
    echo(10, setup),
    idle(),
    join_storm(),
    presence(setup),
    rooms_echo(setup),
    channel_fanout(1, 1.1, setup),
    channel_fanout(8, 1.1, setup),
    channel_events(1, setup),
    channel_events(8, setup),
    channel_idle(),
    channel_million(),
    channel_recover(),
    socketio_fanout(1, 1.1, setup),
    socketio_fanout(8, 1.15, setup),
    socketio_idle(),
    polling(setup),
    files(setup),
  ];
}
