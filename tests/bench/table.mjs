// Turns runs into the printed figures.
import { readFileSync, writeFileSync } from 'node:fs';

const begin_mark = '<!-- figures: begin, written by run.sh --write -->';
const end_mark = '<!-- figures: end -->';

/// The median and the range of `figure` over the runs that report it; undefined if none does.
function spread(runs, figure) {
  const values = runs.map((run) => run[figure]).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const sorted = values.sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, least: sorted[0], most: sorted.at(-1) };
}

/// The experiment's rows with their medians. `holds` is undefined if there is no bound; a bound without a single valid
/// run does not hold.
export function compare(experiment) {
  const figure_of = (side, name) => spread(experiment.results[side], name);
  return experiment.rows.map((row) => {
    const value = figure_of(row.side, row.figure);
    const reference = row.against && figure_of(row.against, row.figure);
    const ratio = value && reference ? value.median / reference.median : undefined;
    const bound = row.most ?? row.ratio_most;
    const measured = row.most === undefined ? ratio : value?.median;
    const holds = bound === undefined ? undefined : measured !== undefined && measured <= bound;
    return { ...row, value, reference, ratio, holds };
  });
}

function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function with_range(value, unit) {
  if (!value) return 'no valid run';
  const range = value.least === value.most ? '' : ` (${number(value.least)} to ${number(value.most)})`;
  return `${number(value.median)}${unit && ` ${unit}`}${range}`;
}

function bound_text(row) {
  if (row.most !== undefined) return `at most ${number(row.most)}${row.unit && ` ${row.unit}`}`;
  return row.ratio_most === undefined ? '' : `ratio at most ${row.ratio_most.toFixed(2)}`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function bounds_table(rows) {
  return table(
    ['what', 'flux', 'compared with', 'ratio', 'bound', 'holds'],
    rows.map((row) => [
      row.title,
      with_range(row.value, row.unit),
      row.against ? `${with_range(row.reference, row.unit)}, ${row.called ?? row.against}` : '',
      row.ratio?.toFixed(2) ?? '',
      bound_text(row),
      row.holds === undefined ? '' : row.holds ? 'yes' : '**no**',
    ]),
  );
}

/// Latencies and throughput of every side that reports them: without bounds, but worth watching for changes.
function latency_table(measured) {
  const cells = [];
  for (const { name, results } of measured) {
    for (const [side, runs] of Object.entries(results)) {
      const median = (figure) => spread(runs, figure)?.median;
      if (median('p50_us') === undefined) continue;
      const milliseconds = ['p50_us', 'p99_us', 'p999_us'].map((figure) => number(median(figure) / 1000));
      const kernel = (100 * median('server_kernel_percent')) / median('server_cpu_percent');
      const throughput = [number(median('frames_per_s')), number(median('mb_per_s'))];
      cells.push([name, side, ...throughput, ...milliseconds, `${number(kernel)} %`]);
    }
  }
  const head = ['experiment', 'side', 'frames/s', 'MB/s', 'p50 ms', 'p99 ms', 'p99.9 ms', "kernel's CPU share"];
  return cells.length === 0 ? '' : table(head, cells);
}

const lines = (items) => items.map((item) => `- ${item}`).join('\n');

function delivered_text(delivered_bytes) {
  const sizes = Object.entries(delivered_bytes).map(([protocol, bytes]) => `${bytes} bytes (${protocol})`);
  return sizes.length === 0 ? '' : ` A delivered room frame holds ${sizes.join(' or ')}, on the floor too.`;
}

export function markdown({ machine, notes, rows, measured, faults }) {
  const parts = [
    lines(Object.entries(machine).map(([name, value]) => `${name}: ${value}`)),
    `Medians of ${notes.runs}, in brackets the least and the most; ${notes.seconds} s each.` +
      delivered_text(notes.delivered_bytes),
    bounds_table(rows),
    latency_table(measured),
    faults.length > 0 && `Runs that do not count:\n\n${lines(faults)}`,
  ];
  return parts.filter(Boolean).join('\n\n') + '\n';
}

/// Replaces the text between the two marks in the Markdown file.
export function write_figures(file, text) {
  const old = readFileSync(file, 'utf8');
  const begin = old.indexOf(begin_mark);
  const end = old.indexOf(end_mark);
  if (begin < 0 || end < begin) throw new Error(`${file} has lost its marks for the figures`);
  writeFileSync(file, `${old.slice(0, begin + begin_mark.length)}\n\n${text}\n${old.slice(end)}`);
}
