// The stage: the question, its choices and the seconds that are left; afterwards the result, and the podium.

import {element} from '/collab/element.js';

const colors = ['blue', 'amber', 'coral', 'moss'];
const nextTexts = {
  lobby: 'Open the first question',
  question: 'Close the question now',
  result: 'Next question',
  end: 'Play again',
};

export class Stage {
  ownId = null;
  isHost = false;
  #find;
  #answer;
  #state = null;
  #choice = null; // ours, to the present question
  #number = 0; // the question that it belongs to
  #ahead = 0; // how far the server's clock is ahead of performance.now()
  #ticking = 0;

  /**
   * @param {(id: string) => HTMLElement} find
   * @param {(number: number, choice: number) => Promise} answer  sends our answer; resolves with the number of
   *     players who have not answered
   * @param {() => void} next  the host goes on
   */
  constructor(find, answer, next) {
    this.#find = find;
    this.#answer = answer;
    find('next').addEventListener('click', next);
    document.addEventListener('keydown', (event) => {
      if (event.target.closest?.('input, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
      find('choices').querySelectorAll('button:enabled')[Number(event.key) - 1]?.click();
    });
  }

  /** We have joined, perhaps again: what the server knows of us. */
  resume({choice, now}) {
    this.#ahead = now - performance.now();
    this.#choice = choice < 0 ? null : choice;
    this.#state = null;
  }

  show(state) {
    const isNew = this.#state?.phase !== state.phase || this.#state?.number !== state.number;
    if (this.#state && isNew && state.phase === 'question') this.#choice = null;
    this.#number = state.number;
    this.#state = state;
    const {phase, number, of, text} = state;
    this.#find('show').dataset.phase = phase;
    this.#find('progress').textContent = phase === 'lobby' || phase === 'end' ? '' : `Question ${number} of ${of}`;
    this.#find('question').textContent = this.#headline(text);
    this.#find('next').textContent = phase === 'result' && number === of ? 'Show the winners' : nextTexts[phase];
    this.#showChoices();
    this.#showPodium();
    this.#say(this.#verdict());
    if (isNew) this.#find('news').textContent = `${this.#find('question').textContent} ${this.#verdict()}`;
    this.#run();
  }

  /** How many players have not answered yet. */
  showMissing(count) {
    if (this.#state?.phase !== 'question') return;
    const of = this.#state.leaderboard.length;
    if (this.isHost || this.#choice !== null) this.#say(`Waiting for ${count} of ${of}.`);
  }

  #headline(text) {
    const {phase} = this.#state;
    if (phase === 'lobby') return this.isHost ? 'Ready when you are.' : 'The host opens the first question soon.';
    return phase === 'end' ? 'That was the quiz.' : text;
  }

  #verdict() {
    const {phase, right, leaderboard} = this.#state;
    const rank = leaderboard.findIndex(({id}) => id === this.ownId);
    const count = leaderboard.length;
    if (phase === 'lobby') return this.isHost ? `Players enter at ${location.host}.` : `You are one of ${count}.`;
    if (phase === 'end') return rank < 0 ? '' : `You are number ${rank + 1} of ${count}.`;
    if (this.isHost) return '';
    if (phase === 'question' && this.#choice !== null) return 'Your answer counts. Wait for the others.';
    if (phase === 'question') return matchMedia('(hover: hover)').matches ? 'The keys 1 to 4 choose, too.' : '';
    if (this.#choice === null) return 'You have not answered.';
    return this.#choice === right ? `Right. ${leaderboard[rank]?.gain ?? 0} points.` : 'Not this time.';
  }

  #say(text) {
    this.#find('verdict').textContent = text;
  }

  #showChoices() {
    const {phase, choices, right, counts, leaderboard} = this.#state;
    const isShown = phase === 'question' || phase === 'result';
    const focused = this.#find('choices').contains(document.activeElement);
    const nodes = (isShown ? choices : []).map((text, index) => {
      const share = counts ? counts[index] / Math.max(1, leaderboard.length) : 0;
      const bar = element('span', {className: 'share'});
      bar.style.setProperty('--share', share);
      const button = element(
        'button',
        {type: 'button', className: 'answer', disabled: this.isHost || phase === 'result' || this.#choice !== null},
        bar,
        element('span', {className: 'key', attributes: {'aria-hidden': 'true'}}, String(index + 1)),
        element('span', {className: 'answer-text', dir: 'auto'}, text),
      );
      if (counts) {
        const count = String(counts[index]);
        button.append(element('span', {className: 'count', title: `${count} chose this`}, count));
      }
      button.dataset.color = colors[index % colors.length];
      button.setAttribute('aria-pressed', String(index === this.#choice));
      if (phase === 'result') button.dataset.result = index === right ? 'right' : 'wrong';
      if (index === right) button.append(element('span', {className: 'sr-only'}, ', the right answer'));
      button.addEventListener('click', () => this.#choose(index));
      return element('li', {}, button);
    });
    this.#find('choices').replaceChildren(...nodes);
    if (focused) this.#find('choices').querySelector('button:enabled')?.focus();
  }

  async #choose(index) {
    const {number} = this.#state;
    this.#choice = index;
    this.#showChoices();
    this.#say(this.#verdict());
    try {
      this.showMissing(await this.#answer(number, index));
    } catch (error) {
      if (this.#number !== number) return;
      this.#choice = null;
      this.#showChoices();
      this.#say(`Your answer does not count: ${error.message}.`);
    }
  }

  #showPodium() {
    const {phase, leaderboard} = this.#state;
    const steps = leaderboard.slice(0, 3).map(({name, points}, index) =>
      element(
        'li',
        {className: 'step', dataset: {place: index + 1}},
        element('span', {className: 'step-name', dir: 'auto'}, name),
        element('span', {className: 'step-points'}, `${points.toLocaleString('en')} points`),
        element('span', {className: 'block', attributes: {'aria-hidden': 'true'}}, String(index + 1)),
      ),
    );
    this.#find('podium').hidden = phase !== 'end';
    this.#find('podium').replaceChildren(...(phase === 'end' ? steps : []));
  }

  /** Counts down while a question is open. The server closes it, whatever this clock says. */
  #run() {
    clearInterval(this.#ticking);
    const {phase, endsAt, answerTime} = this.#state;
    this.#find('show').classList.remove('hurry');
    if (phase !== 'question') return;
    const tick = () => {
      const leftMs = Math.max(0, endsAt - performance.now() - this.#ahead);
      const seconds = Math.ceil(leftMs / 1000);
      const rest = String(seconds % 60).padStart(2, '0');
      this.#find('seconds').textContent = seconds < 60 ? String(seconds) : `${Math.floor(seconds / 60)}:${rest}`;
      this.#find('left').style.setProperty('--left', leftMs / answerTime);
      this.#find('show').classList.toggle('hurry', leftMs < 5_000);
    };
    tick();
    this.#ticking = setInterval(tick, 250);
  }
}
