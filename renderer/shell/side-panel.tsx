import { Tabs } from 'radix-ui';
import { LayersPanel } from '../canvas/layers-panel.tsx';
import { GalleryPanel } from '../gallery/gallery-panel.tsx';
import { QueuePanel } from '../queue/queue-panel.tsx';
import { troubledJobs, useJobs, waitingJobs } from '../state/jobs.ts';
import { useView } from '../state/view.ts';

/** The right side: layers of the canvas above, gallery or queue below. */
export function SidePanel() {
  const side = useView((state) => state.side);
  const waiting = useJobs((state) => waitingJobs(state.jobs).length);
  const troubled = useJobs((state) => troubledJobs(state.jobs).length);
  return (
    <aside className="panel side-panel" aria-label="Layers, gallery and queue">
      <LayersPanel />
      <Tabs.Root
        className="side-tabs"
        value={side}
        onValueChange={(next) => useView.setState({ side: next as 'gallery' | 'queue' })}
      >
        <Tabs.List className="tab-list" aria-label="Gallery or queue">
          <Tabs.Trigger className="tab" value="gallery">
            Gallery
          </Tabs.Trigger>
          <Tabs.Trigger className="tab" value="queue">
            Queue
            {waiting > 0 && <span className="count">{waiting}</span>}
            {troubled > 0 && <span className="count trouble">{troubled}</span>}
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content className="tab-content" value="gallery" tabIndex={-1}>
          <GalleryPanel />
        </Tabs.Content>
        <Tabs.Content className="tab-content" value="queue" tabIndex={-1}>
          <QueuePanel />
        </Tabs.Content>
      </Tabs.Root>
    </aside>
  );
}
