// What is measured, and what must hold. An experiment runs the load generator once against each of its sides, in turns;
// a row of the table is one figure of one side, with its bound:
//   most         the figure must not be larger
//   ratio_most   the figure divided by the same figure of the side `against` must not be larger
// A row without a bound is reported only. `valid` returns true, or why a run does not count.

const floor = (...load) => ({ program: 'floor', load });
const flux = (...load) => ({ program: 'flux', threads: 1, load });
const flux_on_two_loops = (...load) => ({ program: 'flux', threads: 2, load });

const cost = { figure: 'server_us_per_frame', unit: 'µs' };

function fanout(window, ratio_most, { seconds, delivered_bytes }) {
  const load = ['fanout', '--window', window, '--secs', seconds];
  const title = `room of 1,000, ${window} in flight: CPU per delivered frame`;
  return {
    name: `fanout_${window}`,
    sides: {
      floor: floor(...load, '--protocol', 'raw', '--payload-bytes', delivered_bytes),
      flux: flux(...load),
      'two loops': flux_on_two_loops(...load),
    },
    rows: [
      { title, side: 'flux', against: 'floor', ...cost, ratio_most },
      { title: `${title}, --threads 2`, side: 'two loops', against: 'flux', ...cost, ratio_most: 1.25 },
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

function idle() {
  const memory = { figure: 'resident_bytes_per_conn', unit: 'B' };
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

function join_storm() {
  const title = '1,000 connections join one room at once';
  return {
    name: 'join_storm',
    sides: { flux: flux('join_storm') },
    valid: (run) => run.complete === run.conns || `only ${run.complete} of ${run.conns} knew all members`,
    rows: [
      { title: `${title}: until all know all`, side: 'flux', figure: 'seconds_to_full', unit: 's', most: 2 },
      { title: `${title}: frames sent`, side: 'flux', figure: 'frames', unit: '', most: 60_000 },
      { title: `${title}: CPU time`, side: 'flux', figure: 'server_cpu_s', unit: 's' },
    ],
  };
}

function presence({ seconds }) {
  const title = '200 members, presence at 10 Hz each';
  return {
    name: 'presence',
    // A run shorter than two seconds would measure its own start and end.
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
  const title = '100 rooms of 10, each member sends once acknowledged';
  return {
    name: 'rooms_echo',
    sides: { flux: flux('rooms_echo', '--secs', seconds) },
    rows: [{ title: `${title}: CPU per frame`, side: 'flux', ...cost }],
  };
}

/// `seconds`: how long each run measures. `delivered_bytes`: the size of the frame that a room member gets, so that the
/// floor sends frames of exactly that size.
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
  ];
}
