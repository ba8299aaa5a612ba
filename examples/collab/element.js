/**
 * Creates an element: `element('li', {className: 'person', dataset: {color}}, 'Ada')`. Children that are strings become
 * text, never markup, so strings from other users are safe to pass.
 */
export function element(tag, {dataset, attributes, ...properties} = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, dataset);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A coloured disc with the initials of a name. Hidden from screen readers: the name itself is shown beside it. */
export function avatar(name, color) {
  return element('span', {className: 'avatar', dataset: {color}, attributes: {'aria-hidden': 'true'}}, initials(name));
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase();
}
