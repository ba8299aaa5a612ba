// Bad messages of protocol live: each gets a clear error, the connection continues, nobody else is affected. Run with
// plain `node`.
//
// FLUX_SERVER  the server program; required

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {staysConnected} from './support/bystanders.mjs';
import {LiveMember} from './support/live_member.mjs';
import {startServer} from './support/server_program.mjs';

const maxMessageBytes = 65_536;
let server;

before(async () => {
  const options = ['--port', '0', '--presence-interval', '0', '--max-message', String(maxMessageBytes)];
  server = await startServer(process.env.FLUX_SERVER, options);
});
after(() => server.stop());

/** Each of `messages` must get an error with `code`, whose message matches `clear`. */
function gets(name, code, clear, ...messages) {
  test(`${name}: gets ${code}`, () =>
    staysConnected(server, async (offender) => {
      for (const message of messages) {
        offender.send(message);
        const {payload} = await offender.next('error');
        assert.equal(payload.code, code, `${String(message).slice(0, 80)}: ${payload.message}`);
        assert.match(payload.message, clear);
      }
    }));
}

const text = (value) => JSON.stringify(value);

describe('not a message', () => {
  gets(
    'invalid JSON',
    'INVALID_JSON',
    /byte \d+/,
    ...['', ' ', '{', '}', '{"type":}', '{"type":"leave_room"', '{"type":"leave_room",}', "{'type':'leave_room'}"],
    ...['{"type":"leave_room"} x', '{"type":"leave_room"}{"type":"leave_room"}', '{"type":"leave_room","id":01}'],
    ...['{"type":"leave_room","id":NaN}', '{type:"leave_room"}', 'nul', '"\\x"', '"open', '\ufeff{}', '// comment\n{}'],
    ...['{"type":"leave_room","payload":{"roomId":"tab\there"}}', '{"type":"leave\\u00zz"}', '[1,2', '-', '1.', '1e'],
  );
  gets(
    'a JSON value that is not an object',
    'INVALID_MESSAGE',
    /object/,
    '[]',
    '[{}]',
    '"text"',
    '1',
    '-0.5e3',
    'true',
    'null',
  );
  gets('no type', 'INVALID_MESSAGE', /type is missing/, '{}', '{"payload":{}}', '{"Type":"leave_room"}');
  gets(
    'a type that is not a string',
    'INVALID_MESSAGE',
    /type must be a string/,
    ...[null, 1, true, [], {}].map((type) => text({type, payload: {}})),
  );
  gets(
    'an unknown type',
    'INVALID_MESSAGE',
    /unknown type/,
    ...['', 'JOIN_ROOM', 'join_room ', 'room_joined', 'ack', 'x'.repeat(10_000), 'leave_room\u0000', '\ud800'].map(
      (type) => (type === '\ud800' ? '{"type":"\\udc00"}' : text({type, payload: {}})),
    ),
  );
  gets(
    'a payload that is not an object',
    'INVALID_MESSAGE',
    /payload must be an object/,
    ...[1, 'x', true, []].map((payload) => text({type: 'leave_room', payload})),
  );
  gets(
    'an id that is neither a string nor a number, or is too long',
    'INVALID_MESSAGE',
    /id must be/,
    ...[true, [], {}, 'x'.repeat(255)].map((id) => text({type: 'leave_room', id})),
  );

  test('JSON in a binary message is read; any other binary message gets INVALID_JSON', () =>
    staysConnected(server, async (offender) => {
      offender.socket.send(Buffer.from('{"type":"get_history","id":1,"payload":{"limit":1}}'));
      assert.equal((await offender.next('ack')).id, 1);
      for (const bytes of [[0xff], [...Buffer.from('{"type":"send_chat","id":2,"x":"'), 0xf0, 0x9f, 0x22, 0x7d]]) {
        offender.socket.send(Buffer.from(bytes));
        assert.equal((await offender.next('error')).payload.code, 'INVALID_JSON');
      }
    }));
});

describe('members of the wrong type', () => {
  const samples = {boolean: true, number: 7, string: 'text', array: [1], object: {a: 1}};
  const valid = {
    join_room: {roomId: 'another room'},
    leave_room: {},
    update_presence: {presence: {}},
    broadcast_event: {event: 'e'},
    send_chat: {message: 'm'},
    create_room: {roomId: 'made', mode: 'live'},
    share: {data: {type: 'string', content: 'c'}},
    get_history: {},
    public_share: {data: {type: 'string', content: 'c'}},
  };
  const members = {
    join_room: {roomId: 'string', presence: 'object', accessToken: 'string', name: 'string', email: 'string'},
    leave_room: {roomId: 'string'},
    update_presence: {presence: 'object', roomId: 'string'},
    broadcast_event: {event: 'string', roomId: 'string'},
    send_chat: {message: 'string', roomId: 'string'},
    create_room: {roomId: 'string', mode: 'string', capacity: 'number'},
    share: {data: 'object', roomId: 'string'},
    get_history: {limit: 'number', before: 'number', roomId: 'string'},
    public_share: {data: 'object'},
  };
  for (const [type, known] of Object.entries(members)) {
    for (const [member, kind] of Object.entries(known)) {
      test(`${type}: ${member} of another kind than ${kind} gets INVALID_MESSAGE that names it`, () =>
        staysConnected(server, async (offender) => {
          for (const [wrong, value] of Object.entries(samples)) {
            if (wrong === kind) continue;
            offender.send({type, id: wrong, payload: {...valid[type], [member]: value}});
            const answer = await offender.next('error');
            assert.equal(answer.id, wrong);
            assert.equal(answer.payload.code, 'INVALID_MESSAGE', answer.payload.message);
            assert.match(answer.payload.message, new RegExp(`\\b${member}\\b`));
          }
        }));
    }
  }

  const required = [
    ['join_room', 'roomId'],
    ['update_presence', 'presence'],
    ['broadcast_event', 'event'],
    ['send_chat', 'message'],
    ['create_room', 'roomId'],
    ['create_room', 'mode'],
    ['share', 'data'],
    ['public_share', 'data'],
  ];
  for (const [type, member] of required) {
    const {[member]: gone, ...rest} = valid[type];
    gets(
      `${type}: without ${member}`,
      'INVALID_MESSAGE',
      new RegExp(`\\b${member}\\b`),
      text({type, payload: rest}),
      text({type, payload: {...rest, [member]: null}}),
    );
  }
  for (const type of ['join_room', 'update_presence', 'broadcast_event', 'send_chat', 'create_room', 'share']) {
    gets(`${type}: without a payload`, 'INVALID_MESSAGE', /is missing/, text({type}), text({type, payload: null}));
  }

  gets(
    'get_history, public_history: without an id',
    'INVALID_MESSAGE',
    /id is missing/,
    text({type: 'get_history', payload: {}}),
    text({type: 'get_history', payload: {}, id: null}),
    text({type: 'public_history'}),
  );
  gets(
    'share: data that is not TransferData',
    'INVALID_MESSAGE',
    /data\.(type|content)/,
    ...[
      {},
      {type: 'string'},
      {type: 'string', content: 5},
      {type: 'text', content: 'x'},
      {content: 'x'},
      {type: ['string']},
    ].map((data) => text({type: 'share', payload: {data}})),
  );
  gets(
    'create_room: an unknown mode',
    'INVALID_MESSAGE',
    /live, singleton or history/,
    ...['', 'LIVE', 'x'.repeat(60)].map((mode) => text({type: 'create_room', payload: {roomId: 'made', mode}})),
  );
  gets(
    'broadcast_event: an empty event',
    'INVALID_MESSAGE',
    /event is empty/,
    text({type: 'broadcast_event', payload: {event: ''}}),
  );
});

describe('numbers', () => {
  const numbers = ['-1', '0.5', '1e2', '1e300', '18446744073709551616', '-0', '9'.repeat(300)];
  for (const [type, member, more, from] of [
    ['create_room', 'capacity', '"roomId":"made","mode":"live",', '0'],
    ['get_history', 'limit', '', '1001'],
    ['get_history', 'before', '', '18446744073709551617'],
  ]) {
    gets(
      `${type}: ${member} that is negative, not an integer or past 2^64`,
      'INVALID_MESSAGE',
      new RegExp(`${member}.*integer from \\d+ to \\d+`),
      ...[...numbers, from].map((number) => `{"type":"${type}","id":1,"payload":{${more}"${member}":${number}}}`),
    );
  }

  gets(
    'numbers past the range of double',
    'INVALID_JSON',
    /too big/,
    ...['1e400', '-1e400', '9'.repeat(400), '1e99999999999'].map(
      (number) => `{"type":"broadcast_event","payload":{"event":"e","payload":${number}}}`,
    ),
  );

  test('numbers past 2^64 in payloads reach the others with every digit', () =>
    staysConnected(server, async (offender, {near}) => {
      const texts = [];
      near.socket.on('message', (data) => texts.push(String(data)));
      const payload = '[18446744073709551616,-1e300,0.1000000000000000055511151231257827]';
      offender.send(`{"type":"broadcast_event","payload":{"event":"e","payload":${payload}}}`);
      await near.next('broadcast_event');
      assert.ok(texts[0].includes(`"payload":${payload}`), texts[0]);
    }));
});

describe('nesting', () => {
  const deep = (levels, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels);
  gets(
    'JSON nested too deep',
    'INVALID_JSON',
    /deeper than 64 levels/,
    deep(30_000),
    '['.repeat(65_000),
    deep(10_000, '{"a":', '}').replace(':}', ':1}'),
    `{"type":"broadcast_event","payload":{"event":"e","payload":${deep(30_000)}}}`,
    `{"type":"broadcast_event","payload":{"event":"e","payload":${deep(63)}}}`,
  );

  test('100,000 levels, on a server that accepts such long messages, get INVALID_JSON', async () => {
    const roomy = await startServer(process.env.FLUX_SERVER, ['--port', '0', '--presence-interval', '0']);
    await staysConnected(roomy, async (offender) => {
      for (const message of [deep(100_000), deep(100_000, '{"a":', '}').replace(':}', ':1}'), '['.repeat(1_000_000)]) {
        offender.send(message);
        const {payload} = await offender.next('error');
        assert.equal(payload.code, 'INVALID_JSON');
        assert.match(payload.message, /deeper/);
      }
    });
    await roomy.stop();
  });

  test('JSON as deep as allowed is relayed', () =>
    staysConnected(server, async (offender, {near}) => {
      offender.send(`{"type":"broadcast_event","payload":{"event":"e","payload":${deep(62)}}}`);
      assert.equal(JSON.stringify((await near.next('broadcast_event')).payload.payload), deep(62));
    }));
});

describe('characters', () => {
  gets(
    'NUL between tokens or in a string',
    'INVALID_JSON',
    /byte \d+/,
    '{"type":"leave_room"}\u0000',
    '{"type":"leave_room"\u0000}',
    '\u0000{"type":"leave_room"}',
    '{"type":"leave_room","payload":{"roomId":"a\u0000b"}}',
  );
  gets(
    'a lone surrogate in a name',
    'INVALID_MESSAGE',
    /surrogate/,
    ...['\\udfff', '\\ud800', '\\ud800x', '\\ud800\\ud800', '\\udbff\\u0041'].map(
      (escaped) => `{"type":"broadcast_event","payload":{"event":"${escaped}"}}`,
    ),
    ...['roomId', 'email', 'accessToken'].map(
      (member) =>
        `{"type":"join_room","payload":{${member === 'roomId' ? '' : '"roomId":"r",'}"${member}":"a\\udc00"}}`,
    ),
  );
  gets('NUL in a chat message', 'INVALID_MESSAGE', /NUL/, '{"type":"send_chat","payload":{"message":"a\\u0000b"}}');

  test('an escaped NUL in payloads reaches the others unchanged, a lone surrogate as U+FFFD', () =>
    staysConnected(server, async (offender, {near}) => {
      const texts = [];
      near.socket.on('message', (data) => texts.push(String(data)));
      offender.send('{"type":"broadcast_event","payload":{"event":"e","payload":"\\u0000 \\udc00 \\ud83d"}}');
      await near.next('broadcast_event');
      assert.ok(texts[0].endsWith('"payload":"\\u0000 \\ufffd \\ufffd"}}'), texts[0]);
      offender.send(JSON.stringify({type: 'send_chat', payload: {message: '\u{1f600}'.slice(0, 1)}}));
      for (const member of [near, offender]) assert.equal((await member.next('chat_message')).payload.message, '\ufffd');
    }));
});

describe('duplicate members', () => {
  gets(
    'a member of the message or of its payload, twice',
    'INVALID_MESSAGE',
    /twice/,
    '{"type":"leave_room","type":"leave_room"}',
    '{"type":"leave_room","id":1,"id":2}',
    '{"type":"leave_room","payload":{},"payload":{}}',
    '{"type":"leave_room","payload":{"roomId":"x"},"payload":{"roomId":"y"}}',
    '{"type":"send_chat","payload":{"message":"a","message":"b"}}',
    '{"type":"send_chat","payload":{"message":"a","mess\\u0061ge":"b"}}',
    '{"type":"broadcast_event","payload":{"event":"e","payload":1,"payload":2}}',
    '{"type":"join_room","payload":{"roomId":"a","roomId":null}}',
  );

  test('duplicates inside a relayed payload reach the others', () =>
    staysConnected(server, async (offender, {near}) => {
      offender.send('{"type":"broadcast_event","payload":{"event":"e","payload":{"a":1,"a":2}}}');
      assert.deepEqual((await near.next('broadcast_event')).payload.payload, {a: 2});
    }));
});

describe('names and sizes', () => {
  const names = {
    'are empty': ['', /empty/],
    'are too long': ['x'.repeat(257), /257 bytes.*256/],
    'are too long in UTF-8': ['ü'.repeat(129), /258 bytes/],
    'hold NUL': ['a\u0000b', /control/],
    'hold a line end': ['a\nb', /control/],
    'hold DEL': ['a\u007f', /control/],
    'hold a C1 control': ['a\u0085b', /control/],
  };
  for (const [how, [roomId, clear]] of Object.entries(names)) {
    gets(
      `room names that ${how}`,
      'INVALID_MESSAGE',
      clear,
      text({type: 'join_room', payload: {roomId}}),
      text({type: 'create_room', payload: {roomId, mode: 'live'}}),
    );
  }

  test('room names with any other characters are separate rooms', async () => {
    const odd = [' ', 'ü', 'u\u0308', '👩‍🚀', '../../etc/passwd', '"\\', '%2e', 'x'.repeat(256), '__proto__', '日本'];
    const members = await Promise.all(odd.map((room) => LiveMember.join(server.url, room)));
    for (const [i, member] of members.entries()) {
      assert.equal(member.welcome.roomId, odd[i]);
      assert.equal(Object.keys(member.welcome.presence).length, 1);
      await member.expectNothing();
      await member.close();
    }
  });

  gets(
    'members that are too large',
    'MESSAGE_TOO_LARGE',
    /\d+ bytes.*at most \d+/,
    text({type: 'join_room', payload: {roomId: 'r', presence: {p: 'x'.repeat(16_384)}}}),
    text({type: 'update_presence', payload: {presence: {p: 'x'.repeat(16_384)}}}),
    text({type: 'join_room', payload: {roomId: 'r', name: 'x'.repeat(1_025)}}),
    text({type: 'join_room', payload: {roomId: 'r', email: 'x'.repeat(1_025)}}),
    text({type: 'join_room', payload: {roomId: 'r', accessToken: 'x'.repeat(32_769)}}),
    text({type: 'broadcast_event', payload: {event: 'x'.repeat(257)}}),
    text({type: 'send_chat', payload: {message: 'm', metadata: 'x'.repeat(16_384)}}),
  );
});

describe('rooms', () => {
  gets(
    'speaking in a room without being a member',
    'NOT_IN_ROOM',
    /not in room "elsewhere"/,
    ...[
      ['update_presence', {presence: {}}],
      ['broadcast_event', {event: 'e'}],
      ['send_chat', {message: 'm'}],
      ['share', {data: {type: 'string', content: 'c'}}],
      ['get_history', {}],
    ].map(([type, payload]) => text({type, id: 1, payload: {...payload, roomId: 'elsewhere'}})),
  );

  test('speaking without any room gets NOT_IN_ROOM', async () => {
    const member = await LiveMember.open(server.url);
    for (const [type, payload] of [
      ['update_presence', {presence: {}}],
      ['broadcast_event', {event: 'e'}],
      ['send_chat', {message: 'm'}],
      ['share', {data: {type: 'string', content: 'c'}}],
      ['get_history', {}],
    ]) {
      await assert.rejects(member.request(type, payload), {code: 'NOT_IN_ROOM'});
    }
    await member.close();
  });

  test('joining a full room gets ROOM_FULL, and its members notice nothing', () =>
    staysConnected(server, async (offender) => {
      const maker = await LiveMember.open(server.url);
      await maker.request('create_room', {roomId: 'small', mode: 'live', capacity: 1});
      await maker.enter('small');
      await assert.rejects(offender.request('join_room', {roomId: 'small'}), {code: 'ROOM_FULL'});
      await maker.expectNothing();
      await maker.close();
    }));

  test('10,000 rooms created by one connection: LIMIT_EXCEEDED after 100; they end with it', async () => {
    await staysConnected(server, async (offender) => {
      const results = await Promise.all(
        Array.from({length: 10_000}, (_, i) =>
          offender.request('create_room', {roomId: `many ${i}`, mode: 'history'}).then(
            () => 'made',
            (error) => error.code,
          ),
        ),
      );
      assert.ok(results.slice(0, 100).every((result) => result === 'made'));
      assert.ok(results.slice(100).every((result) => result === 'LIMIT_EXCEEDED'));
    });
    const next = await LiveMember.open(server.url);
    for (let i = 0; i < 100; ++i) await next.request('create_room', {roomId: `many ${i}`, mode: 'live'});
    await next.close();
  });

  test('10,000 rooms joined by one connection, one after the other: only the last one exists', async () => {
    await staysConnected(server, async (offender, {room, near}) => {
      const joins = Array.from({length: 10_000}, (_, i) => offender.request('join_room', {roomId: `walk ${i}`}));
      await Promise.all(joins);
      assert.equal(offender.takeAll().length, 10_000); // one room_joined each
      assert.deepEqual((await near.next('presence_updated')).payload.left, [offender.id]);
      const other = await LiveMember.open(server.url);
      for (const i of [0, 5_000, 9_998]) {
        await other.request('create_room', {roomId: `walk ${i}`, mode: 'live'}); // otherwise it would be ROOM_EXISTS
      }
      await assert.rejects(other.request('create_room', {roomId: 'walk 9999', mode: 'live'}), {code: 'ROOM_EXISTS'});
      await other.close();
      await offender.enter(room);
      await near.next('presence_updated');
    });
  });
});

test('thousands of bad messages at once are answered one by one', () =>
  staysConnected(server, async (offender, {near}) => {
    const bad = ['{', '[]', text({type: 'x'}), text({type: 'send_chat', payload: {message: 1}})];
    for (let i = 0; i < 4_000; ++i) offender.send(bad[i % bad.length]);
    offender.send({type: 'broadcast_event', payload: {event: 'done'}});
    await near.next('broadcast_event');
    await offender.request('leave_room', {roomId: 'not this one'});
    const answers = offender.takeAll();
    assert.equal(answers.length, 4_000);
    for (const [i, answer] of answers.entries()) {
      assert.equal(answer.payload.code, i % 4 === 0 ? 'INVALID_JSON' : 'INVALID_MESSAGE');
    }
  }));
