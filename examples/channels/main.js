// A notice board on one channel. All of it is flux.js: messages with history, presence, shared state, and what was missed.

import {Flux} from './flux.js' // the server has it

const animals = ['Otter', 'Heron', 'Badger', 'Lynx', 'Wren', 'Marten', 'Stoat', 'Kite']
const name = new URLSearchParams(location.search).get('name') ??
  animals[Math.floor(Math.random() * animals.length)]
const places = ['the canteen', 'the noodle bar', 'the park']

const flux = new Flux()
const board = flux.subscribe('board:lunch', {state: true})
const find = (id) => document.getElementById(id)
const list = find('messages')

function add({data, timestamp}, isMissed) {
  const line = document.createElement('li')
  line.classList.toggle('missed', isMissed)
  const about = document.createElement('small')
  about.textContent = `${data.by}, ${new Date(timestamp).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'})}`
  line.append(about, data.text)
  list.append(line)
  list.scrollTop = list.scrollHeight
}

// Messages.

let isRecovering = false // until the publications that were missed have been taken
let recovered = 0
let lastTo = 0

board.on('subscribed', async ({recovered: isWhole, reason}) => {
  if (isWhole) {
    isRecovering = true
    recovered = 0
    setTimeout(() => { isRecovering = false }, 1_000)
    return
  }
  if (isWhole === false) find('recovery').textContent = `Some messages were missed: ${reason}. This is what is kept.`
  const {publications} = await board.history({limit: 50}).catch(() => ({publications: []}))
  if (flux.state === 'events') return
  list.replaceChildren()
  for (const publication of publications) add(publication, false)
  lastTo = publications.at(-1)?.offset ?? 0
})
board.on('message', (publication) => {
  if (publication.offset <= lastTo) return // the history had it
  add(publication, isRecovering)
  if (isRecovering) find('recovery').textContent = `${++recovered} missed and recovered.`
})

find('publish').addEventListener('submit', async (event) => {
  event.preventDefault()
  const text = find('text').value
  find('text').value = ''
  try {
    await board.publish({by: name, text}) // waits for a connection where there is none
  } catch ({message}) {
    find('recovery').textContent = `Not published: ${message}`
  }
})

// Who is here.

async function showPeople() {
  const {members, users} = await board.members({limit: 50}).catch(() => ({members: null}))
  if (!members) return
  find('people-title').textContent = `Here now: ${users}`
  find('people').replaceChildren(...members.map(({data}) => {
    const line = document.createElement('li')
    line.textContent = data.name
    return line
  }))
}
board.enter({name}).catch(() => {}) // without a connection it enters on the next one
board.on('subscribed', showPeople)
board.on('presence', showPeople)

// A poll: each page has one entry, which is bound to its connection.

const vote = `vote-${Math.random().toString(36).slice(2)}`
const buttons = places.map((place) => {
  const button = document.createElement('button')
  button.type = 'button'
  button.append(place, document.createElement('b'))
  button.addEventListener('click', () => board.set(vote, place, {bound: true}).catch(() => {}))
  return button
})
find('poll').append(...buttons)
function showPoll() {
  const votes = [...board.state.values()].map(({value}) => value)
  places.forEach((place, i) => {
    buttons[i].lastChild.textContent = votes.filter((each) => each === place).length
    buttons[i].ariaPressed = board.state.get(vote)?.value === place
  })
}
board.on('state', showPoll)
showPoll()

const words = {connecting: 'connecting', open: 'connected', events: 'reading only (server-sent events)',
  waiting: 'no connection; trying again', closed: 'ended'}
const showState = (state) => {
  find('status').dataset.state = state
  find('status').textContent = words[state]
}
flux.on('state', showState)
showState(flux.state)
