import {
  Brush,
  Eraser,
  Hand,
  Lasso,
  type LucideIcon,
  MousePointerClick,
  PaintBucket,
  Scaling,
  SquareDashed,
  WandSparkles,
} from 'lucide-react';
import { ActionButton } from '../ui/action-button.tsx';
import { paintTools, type Tool, useCanvas } from './canvas-state.ts';

const icons: Record<Tool, LucideIcon> = {
  move: Hand,
  frame: Scaling,
  brush: Brush,
  eraser: Eraser,
  lasso: Lasso,
  rectangle: SquareDashed,
  fill: PaintBucket,
  colour: WandSparkles,
  click: MousePointerClick,
};

/** The tools, down the left edge of the canvas. */
export function Toolbox() {
  return (
    <div className="toolbox" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      <ToolButton id="move" />
      <ToolButton id="frame" />
      <span className="toolbox-gap" />
      {paintTools.map((id) => (
        <ToolButton key={id} id={id} />
      ))}
    </div>
  );
}

function ToolButton({ id }: { id: Tool }) {
  const tool = useCanvas((state) => state.tool);
  const Icon = icons[id];
  return (
    <ActionButton id={id} pressed={tool === id} side="right">
      <Icon size={17} aria-hidden="true" />
    </ActionButton>
  );
}
