const patienceMs = 4_000;

/**
 * A button whose effect cannot be undone asks for confirmation: the first click shows `question()`, the second one
 * acts. If the question is empty, the first click acts.
 */
export function askTwice(button, question, action) {
  const text = button.textContent;
  let timer = 0;
  const ask = (isAsking) => {
    clearTimeout(timer);
    button.classList.toggle('asking', isAsking);
    button.textContent = isAsking ? question() : text;
    if (isAsking) timer = setTimeout(() => ask(false), patienceMs);
  };
  button.addEventListener('click', () => {
    const isSure = button.classList.contains('asking') || question() === '';
    ask(!isSure);
    if (isSure) action();
  });
  button.addEventListener('blur', () => ask(false));
}
