import './zod-setup.ts';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { listenForKeys } from './actions/perform.ts';
import { followCanvas } from './canvas/follow.ts';
import { restoreCanvas } from './canvas/keep.ts';
import { followLayers } from './canvas/layers.ts';
import { Studio } from './shell/studio.tsx';
import { loadDevices } from './state/device.ts';
import { followDownloads } from './state/downloads.ts';
import { followJobs } from './state/jobs.ts';
import { startModel } from './state/models.ts';
import { tell, tellError } from './state/notices.ts';
import { followPictures } from './state/pictures.ts';
import { followSettings } from './state/view.ts';
import './styles/index.css';
import { TransportProvider } from './transport/context.tsx';
import { openTransport } from './transport/open-transport.ts';

const transport = await openTransport();
const restorePixels = restoreCanvas();
followSettings(transport);
followJobs(transport);
followPictures(transport);
followDownloads(transport);
followCanvas(transport);
followLayers();
listenForKeys(transport);
void startModel(transport);
void loadDevices(transport);
transport.call('app.info', {}).then(({ warnings }) => {
  for (const { message } of warnings) tell(message);
}, tellError);

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <TransportProvider value={transport}>
      <Studio />
    </TransportProvider>
  </StrictMode>,
);
restorePixels();
