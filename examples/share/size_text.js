const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
const formats = units.map(
  (unit, power) =>
    new Intl.NumberFormat(undefined, {
      style: 'unit',
      unit,
      unitDisplay: power === 0 ? 'long' : 'short',
      maximumSignificantDigits: 3,
    }),
);

/** A number of bytes in readable form: "27 bytes", "4.2 MB". */
export function sizeText(bytes) {
  let power = 0;
  // A value that would be rounded to 1000 becomes 1 of the next unit.
  while (power < units.length - 1 && bytes >= 999.5 * 1000 ** power) power++;
  return formats[power].format(bytes / 1000 ** power);
}
