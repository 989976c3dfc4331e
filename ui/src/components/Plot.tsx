// uPlot, held by React: made once per size of data's shape, fed with each answer.
import "uplot/dist/uPlot.min.css";

import { useEffect, useEffectEvent, useRef } from "react";
import UPlot from "uplot";

import type { AlertState, Graph } from "../api/types.ts";
import { formatClock, formatDay, formatValue } from "../state/format.ts";
import { type Columns, scaleOf } from "../state/graph.ts";

/** A moment on the time axis. */
export interface Mark {
  /** Seconds. */
  at: number;
  word: string;
  state: AlertState;
}

/** What the values are compared with. */
export type Limit = Pick<Graph, "op" | "threshold">;

interface Props {
  columns: Columns;
  limit: Limit;
  marks: Mark[];
  /** The plot in words. */
  description: string;
  /** Called with what is under the pointer: seconds and the value, or nulls. */
  onPoint: (at: number | null, value: number | null) => void;
}

const HEIGHT = 230;
/** Opacity of what is over the limit. */
const TINT = 0.14;
const CLEAR = "rgba(0, 0, 0, 0)";

export function Plot({ columns, limit, marks, description, onPoint }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const shape = columns.lines.map(({ isOwn }) => (isOwn ? "o" : "-")).join("");
  const latest = useRef({ columns, limit, marks });
  const tellPoint = useEffectEvent(onPoint);

  useEffect(() => {
    latest.current = { columns, limit, marks };
    plot.current?.setData(dataOf(columns));
  }, [columns, limit, marks]);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new UPlot(
      optionsFor(element, shape, () => latest.current, tellPoint),
      dataOf(latest.current.columns),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  return <div ref={box} role="img" aria-label={description} />;
}

function dataOf({ times, lines }: Columns): UPlot.AlignedData {
  return [times, ...lines.map(({ values }) => values)];
}

type Drawn = Pick<Props, "columns" | "limit" | "marks">;

function optionsFor(
  element: HTMLElement,
  shape: string,
  drawn: () => Drawn,
  onPoint: Props["onPoint"],
): UPlot.Options {
  const colour = coloursOf(element);
  // Once: what is drawn late may belong to an element that is gone, which has no colours.
  const firing = colour("--firing");
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = {
    stroke: colour("--dim"),
    font,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { size: 7 } },
    scales: {
      y: {
        range: (_, min, max) => {
          const { low, high } = scaleOf(finite(min), finite(max), drawn().limit.threshold);
          return [low, high];
        },
      },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 28,
        values: (_, splits, __, ___, incr) => splits.map(clockFor(incr)),
      },
      { ...axis, size: 56, values: (_, splits) => splits.map((value) => formatValue(value)) },
    ],
    series: [
      {},
      ...Array.from(shape, (kind) => ({
        stroke: colour(kind === "o" ? "--text" : "--faint"),
        width: kind === "o" ? 1.5 : 1,
        points: { show: false },
        ...(kind === "o" && {
          fill: (plot: UPlot) => breachFill(plot, drawn().limit, firing),
          fillTo: () => drawn().limit.threshold,
        }),
      })),
    ],
    hooks: {
      draw: [(plot) => drawOver(plot, drawn(), colour, font)],
      setCursor: [
        ({ cursor: { idx }, data }) => {
          const at = typeof idx === "number" ? idx : -1;
          onPoint(data[0][at] ?? null, data.at(-1)?.[at] ?? null);
        },
      ],
    },
  };
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

function clockFor(incrementSeconds: number): (at: number) => string {
  return (at) => {
    if (incrementSeconds >= 86_400) return formatDay(at * 1000).slice(5);
    const clock = formatClock(at * 1000);
    return incrementSeconds >= 60 ? clock.slice(0, 5) : clock;
  };
}

type Colours = (name: string) => string;

/** A canvas knows neither variables nor `light-dark`: the browser resolves them on an element. */
function coloursOf(element: HTMLElement): Colours {
  return (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    element.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
}

/** A light tint between line and threshold on the side that alerts, nothing on the other. */
function breachFill(plot: UPlot, { op, threshold }: Limit, colour: string): CanvasGradient {
  const { ctx, bbox } = plot;
  const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
  const share = (plot.valToPos(threshold, "y", true) - bbox.top) / bbox.height;
  const at = Math.min(1, Math.max(0, share));
  const tint = colour.replace("rgb(", "rgba(").replace(")", `, ${TINT})`);
  const [above, below] = [op.startsWith(">") ? tint : CLEAR, op.startsWith("<") ? tint : CLEAR];
  for (const [stop, paint] of [
    [0, above],
    [at, above],
    [at, below],
    [1, below],
  ] as const) {
    gradient.addColorStop(stop, paint);
  }
  return gradient;
}

/** The threshold and the marks, above the lines. */
function drawOver(plot: UPlot, { limit, marks }: Drawn, colour: Colours, font: string): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = ratio * 1.5;
  const line = (x1: number, y1: number, x2: number, y2: number): void => {
    ctx.beginPath();
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
    ctx.stroke();
  };
  ctx.setLineDash([5 * ratio, 4 * ratio]);
  ctx.strokeStyle = colour("--firing");
  const y = plot.valToPos(limit.threshold, "y", true);
  line(bbox.left, y, bbox.left + bbox.width, y);

  ctx.setLineDash([]);
  ctx.lineWidth = ratio;
  ctx.font = font.replace("11px", `${11 * ratio}px`);
  ctx.textBaseline = "top";
  marks.forEach(({ at, word, state }, idx) => {
    const x = Math.round(plot.valToPos(at, "x", true));
    ctx.strokeStyle = ctx.fillStyle = colour(`--${state}`);
    line(x, bbox.top, x, bbox.top + bbox.height);
    // Words stand to the left of their line, each on a row of its own: moments are often close.
    ctx.textAlign = "right";
    const top = bbox.top + (3 + idx * 15) * ratio;
    const width = ctx.measureText(word).width;
    const [ink, ground] = [ctx.fillStyle, colour("--surface")];
    ctx.fillStyle = ground;
    ctx.fillRect(x - width - 7 * ratio, top - ratio, width + 6 * ratio, 14 * ratio);
    ctx.fillStyle = ink;
    ctx.fillText(word, x - 4 * ratio, top);
  });
  ctx.restore();
}
