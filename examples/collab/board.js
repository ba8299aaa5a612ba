// The drawing on the screen, and the pointer that draws. Strokes drawn here are passed to `onDraw` as they grow;
// strokes drawn by others arrive through `paint`.

import {boardHeight, boardWidth, pointsPerStroke} from './drawing.js';
import {penValues} from './palette.js';

const nearestPoints = 5; // board units: a point closer than this to the previous one adds nothing visible
const mousePressure = 50;
const eraserScale = 3;
const settleMs = 300;

export class Board {
  tool = {tool: 'pen', color: 'ink', width: 20};
  #canvas;
  #context;
  #drawing;
  #onDraw;
  #colors = penValues();
  #painted = new WeakMap();
  #active = null;
  #frame = 0;
  #settleTimer = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('./drawing.js').Drawing} drawing
   * @param {(stroke: Object) => void} onDraw  called whenever a stroke drawn here gains points or ends
   */
  constructor(canvas, drawing, onDraw) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    this.#drawing = drawing;
    this.#onDraw = onDraw;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colors = penValues();
      this.repaint();
    });
    this.#bindPointer();
  }

  /** Shows the new points of `stroke`. */
  paint(stroke) {
    this.#paintStroke(stroke);
    this.#label();
    // Strokes painted piece by piece have faint seams, and one that belongs below others is painted above them. So once
    // drawing pauses, everything is repainted at once and in order.
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => this.repaint(), settleMs);
  }

  /** Repaints everything in the next animation frame. */
  repaint() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#context.clearRect(0, 0, boardWidth, boardHeight);
      this.#painted = new WeakMap();
      for (const stroke of this.#drawing.strokes) this.#paintStroke(stroke);
      this.#label();
    });
  }

  /** Ends the stroke under the pointer, if there is one: the board was cleared or the room changed. */
  abandon() {
    this.#active = null;
  }

  #fit() {
    const {clientWidth, clientHeight} = this.#canvas;
    if (clientWidth === 0) return;
    const scale = Math.min(devicePixelRatio || 1, 2);
    this.#canvas.width = Math.round(clientWidth * scale);
    this.#canvas.height = Math.round(clientHeight * scale);
    this.#context.setTransform(this.#canvas.width / boardWidth, 0, 0, this.#canvas.height / boardHeight, 0, 0);
    this.#context.lineCap = this.#context.lineJoin = 'round';
    this.repaint();
  }

  #label() {
    const count = this.#drawing.strokes.length;
    const text = count === 0 ? 'empty' : count === 1 ? '1 stroke' : `${count} strokes`;
    this.#canvas.setAttribute('aria-label', `Shared drawing board, ${text}`);
    this.#canvas.parentElement.classList.toggle('blank', count === 0);
  }

  /**
   * Paints the points that are not painted yet, as curves through the midpoints between them. A run of equal width is
   * one path.
   */
  #paintStroke(stroke) {
    const context = this.#context;
    const {points, done} = stroke;
    const count = points.length / 3;
    let index = this.#painted.get(stroke) ?? 0;
    let width = 0;
    context.globalCompositeOperation = stroke.tool === 'eraser' ? 'destination-out' : 'source-over';
    context.strokeStyle = this.#colors[stroke.color];
    context.beginPath();
    for (; index < count && points[index * 3] !== undefined; index++) {
      const next = this.#widthAt(stroke, Math.max(index - 1, 0));
      if (next !== width) {
        if (width > 0) context.stroke();
        context.beginPath();
        context.lineWidth = width = next;
        context.moveTo(...(index < 2 ? point(points, 0) : middle(points, index - 1)));
      }
      if (index === 0) context.lineTo(...point(points, 0));
      else context.quadraticCurveTo(...point(points, index - 1), ...middle(points, index));
    }
    this.#painted.set(stroke, index);
    if (done && index === count && count > 1) {
      if (width === 0) {
        context.lineWidth = this.#widthAt(stroke, count - 1);
        context.moveTo(...middle(points, count - 1));
      }
      context.lineTo(...point(points, count - 1));
    }
    context.stroke();
  }

  #widthAt({points, width, tool}, index) {
    if (tool === 'eraser') return width * eraserScale;
    const unitsPerPixel = boardWidth / (this.#canvas.clientWidth || boardWidth);
    return Math.max(width * (0.3 + (1.4 * points[index * 3 + 2]) / 100), 1.2 * unitsPerPixel);
  }

  #bindPointer() {
    const canvas = this.#canvas;
    let pointer = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (pointer !== null || event.button !== 0) return;
      event.preventDefault();
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
      this.#active = this.#drawing.begin(this.tool);
      this.#extend([event]);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (event.pointerId !== pointer || !this.#active) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.#extend(events.length > 0 ? events : [event]);
    });
    const end = (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      this.#finish();
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
  }

  #extend(events) {
    const box = this.#canvas.getBoundingClientRect();
    for (const event of events) {
      const x = clamp(Math.round(((event.clientX - box.left) / box.width) * boardWidth), boardWidth);
      const y = clamp(Math.round(((event.clientY - box.top) / box.height) * boardHeight), boardHeight);
      const pressure = event.pointerType === 'pen' ? clamp(Math.round(event.pressure * 100), 100) : mousePressure;
      const {points} = this.#active;
      const count = points.length / 3;
      if (count > 0 && Math.hypot(x - points[count * 3 - 3], y - points[count * 3 - 2]) < nearestPoints) continue;
      this.#drawing.append(this.#active, x, y, pressure);
      if (count + 1 === pointsPerStroke) {
        // The length of a stroke is bounded; a longer line continues as a new stroke from the same point.
        this.#finish();
        this.#active = this.#drawing.begin(this.tool);
        this.#drawing.append(this.#active, x, y, pressure);
      }
    }
    this.paint(this.#active);
    this.#onDraw(this.#active);
  }

  #finish() {
    const stroke = this.#active;
    if (!stroke) return;
    this.#active = null;
    stroke.done = true;
    this.paint(stroke);
    this.#onDraw(stroke);
  }
}

function point(points, index) {
  return [points[index * 3], points[index * 3 + 1]];
}

/** The midpoint between the point `index` and the one before it. */
function middle(points, index) {
  const at = index * 3;
  return [(points[at - 3] + points[at]) / 2, (points[at - 2] + points[at + 1]) / 2];
}

function clamp(value, max) {
  return Math.min(Math.max(value, 0), max);
}
