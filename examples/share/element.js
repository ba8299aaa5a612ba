/**
 * Creates an element: `element('li', {className: 'room', dataset: {mode}}, 'garden')`. Children that are strings become
 * text, never markup, so strings from other users are safe to pass.
 */
export function element(tag, {dataset, attributes, ...properties} = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, dataset);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const icons = {
  pause: ['M9 6v12M15 6v12'],
  resume: ['m8.5 5.5 10 6.5-10 6.5z'],
  cancel: ['m7 7 10 10M17 7 7 17'],
  download: ['M12 4.5v10.2m-4-3.9 4 4 4-4', 'M5 19h14'],
  copy: ['M9 9h10v10H9z', 'M15 9V5H5v10h4'],
  file: ['M7 3.5h7l4.5 4.5v12.5H7z', 'M14 3.5V8h4.5'],
};

/** A line drawing of 24 by 24. Hidden from screen readers, so the element that holds it needs a label. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const line of icons[name]) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', line);
    svg.append(path);
  }
  return svg;
}

/** A button that shows an icon; `label` is its accessible name. */
export function iconButton(name, label, onClick) {
  const button = element('button', {type: 'button', className: 'icon-button', title: label}, icon(name));
  button.setAttribute('aria-label', label);
  button.addEventListener('click', onClick);
  return button;
}
