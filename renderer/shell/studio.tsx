import { Tooltip } from 'radix-ui';
import { BatchDialog } from '../batch/batch-dialog.tsx';
import { CanvasPanel } from '../canvas/canvas-panel.tsx';
import { CompareDialog } from '../gallery/compare-dialog.tsx';
import { ExportDialog } from '../gallery/export-dialog.tsx';
import { HubDialog } from '../hub/hub-dialog.tsx';
import { InspectorDialog } from '../inspector/inspector-dialog.tsx';
import { EditJobDialog } from '../queue/edit-job-dialog.tsx';
import { SettingsPanel } from '../settings/settings-panel.tsx';
import { useView } from '../state/view.ts';
import { CommandMenu } from './command-menu.tsx';
import { DropTarget } from './drop-target.tsx';
import { KeysDialog } from './keys-dialog.tsx';
import { Notices } from './notices.tsx';
import { PreferencesDialog } from './preferences-dialog.tsx';
import { SidePanel } from './side-panel.tsx';
import { TopBar } from './top-bar.tsx';

/** The window: settings left, canvas centre, layers, gallery and queue right. */
export function Studio() {
  const panels = useView((state) => state.panels);
  return (
    <Tooltip.Provider delayDuration={450} skipDelayDuration={200}>
      <div className="studio" data-panels={panels}>
        <TopBar />
        {panels && <SettingsPanel />}
        <CanvasPanel />
        {panels && <SidePanel />}
      </div>
      <Notices />
      <CommandMenu />
      <KeysDialog />
      <PreferencesDialog />
      <ExportDialog />
      <CompareDialog />
      <HubDialog />
      <BatchDialog />
      <EditJobDialog />
      <InspectorDialog />
      <DropTarget />
    </Tooltip.Provider>
  );
}
