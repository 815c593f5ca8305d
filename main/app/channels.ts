/** Names of the messages between a window and the app. */
export const channels = {
  call: 'impasto:call',
  event: 'impasto:event',
  preview: 'impasto:preview',
  choosePath: 'impasto:choose-path',
  openOutside: 'impasto:open-outside',
} as const;
