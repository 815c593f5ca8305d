import { useRef, useState } from 'react';
import type { AdapterRef } from '../../contract/request.ts';

type Points = NonNullable<AdapterRef['curve']>;

const width = 240;
const height = 84;
/** Of the drawing area, so that a point at its edge is seen whole. */
const inset = 7;
/** The factor at the top. */
const most = 2;

const toX = (at: number) => inset + at * (width - 2 * inset);
const toY = (factor: number) => inset + (1 - Math.min(most, Math.max(0, factor)) / most) * (height - 2 * inset);
const round = (value: number) => Math.round(value * 20) / 20;

/**
 * A curve of factors on the strength over the steps: points are dragged, or moved by arrows; a click on the sheet adds one,
 * Delete takes one away.
 */
export function StepCurve({
  name,
  points,
  onChange,
}: {
  name: string;
  points: Points;
  onChange(points: Points): void;
}) {
  const sheet = useRef<SVGSVGElement>(null);
  const [held, setHeld] = useState<number | null>(null);
  const move = (index: number, at: number, factor: number) => {
    // Points stay in order, a step of the slider apart.
    const from = index === 0 ? 0 : (points[index - 1]?.[0] ?? 0) + 0.05;
    const to = index === points.length - 1 ? 1 : (points[index + 1]?.[0] ?? 1) - 0.05;
    const place: Points[number] = [round(Math.min(to, Math.max(from, at))), round(Math.min(most, Math.max(0, factor)))];
    onChange(points.map((point, other) => (other === index ? place : point)));
  };
  const placeOf = (event: React.PointerEvent): [number, number] => {
    const box = sheet.current?.getBoundingClientRect() ?? new DOMRect(0, 0, width, height);
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    return [(x - inset) / (width - 2 * inset), (1 - (y - inset) / (height - 2 * inset)) * most];
  };
  const line = [
    `M ${toX(0)} ${toY(points[0]?.[1] ?? 1)}`,
    ...points.map(([at, factor]) => `L ${toX(at)} ${toY(factor)}`),
    `L ${toX(1)} ${toY(points.at(-1)?.[1] ?? 1)}`,
  ].join(' ');

  return (
    <div className="step-curve">
      {/* biome-ignore lint/a11y/useSemanticElements: a drawing cannot be a fieldset */}
      <svg
        ref={sheet}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={`Strength of ${name} over the steps`}
        onPointerDown={(event) => {
          if (event.target !== event.currentTarget || points.length >= 16) return;
          const [at, factor] = placeOf(event);
          const place: Points[number] = [
            round(Math.min(1, Math.max(0, at))),
            round(Math.min(most, Math.max(0, factor))),
          ];
          if (points.some(([other]) => Math.abs(other - place[0]) < 0.049)) return;
          onChange([...points, place].sort(([a], [b]) => a - b));
        }}
        onPointerMove={(event) => held !== null && move(held, ...placeOf(event))}
        onPointerUp={() => setHeld(null)}
      >
        <line className="curve-one" x1={toX(0)} x2={toX(1)} y1={toY(1)} y2={toY(1)} />
        <path className="curve-line" d={line} />
        {points.map(([at, factor], index) => (
          <circle
            // biome-ignore lint/suspicious/noArrayIndexKey: a point keeps the focus while it moves
            key={index}
            className="curve-point"
            cx={toX(at)}
            cy={toY(factor)}
            r={5}
            tabIndex={0}
            role="slider"
            aria-label={`Point ${index + 1} at ${Math.round(at * 100)} % of the steps, factor`}
            aria-valuemin={0}
            aria-valuemax={most}
            aria-valuenow={factor}
            onPointerDown={(event) => {
              sheet.current?.setPointerCapture(event.pointerId);
              setHeld(index);
            }}
            onKeyDown={(event) => {
              const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
              if (by) move(index, at + (by[0] ?? 0) * 0.05, factor + (by[1] ?? 0) * 0.05);
              else if (event.key === 'Delete' && points.length > 1) {
                onChange(points.filter((_, other) => other !== index));
              } else return;
              event.preventDefault();
              event.stopPropagation();
            }}
          />
        ))}
      </svg>
      <p className="hint">
        First step left, last right; the line in the middle is the strength above. Click to add a point.
      </p>
    </div>
  );
}
