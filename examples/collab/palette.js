// The colours of people and pens. Messages carry their names, and each screen shows them in its own theme, so that a
// drawing made in the light theme is as clear in the dark one. The values are in style.css.

export const penColors = ['ink', 'blue', 'teal', 'moss', 'amber', 'coral', 'violet'];
export const peopleColors = penColors.slice(1);

/** `color` if it is a person's colour, otherwise one derived from `key`, always the same for the same key. */
export function personColor(color, key = '') {
  if (peopleColors.includes(color)) return color;
  let hash = 0;
  for (const char of String(key)) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return peopleColors[hash % peopleColors.length];
}

/** The pens as the current theme shows them: name to CSS colour. */
export function penValues() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(penColors.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
