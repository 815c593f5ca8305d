/**
 * URLs of what is fetched rather than asked for: the same paths under `http://host:port` and under `impasto://app`.
 * Nothing in them is a file name: a number or a random id says which file is meant.
 */
export const resourceUrls = {
  /** A picture that a job has written: its number, and which of its batch. */
  jobPicture: (job: number, image: number) => `/jobs/${job}/pictures/${image}`,
  upload: (id: string) => `/uploads/${id}`,
  /** A picture of the library. With the `version` of its entry a browser may keep it for good. */
  picture: (id: number, version?: string) => versioned(`/pictures/${id}`, version),
  /** Its thumbnail: WebP of at most 256 pixels a side. */
  thumbnail: (id: number, version?: string) => versioned(`/thumbnails/${id}`, version),
  /** The picture beside a model or adapter, as large as a thumbnail. */
  modelPreview: (id: string, version?: string) => versioned(`/models/${id}/preview`, version),
} as const;

function versioned(url: string, version: string | undefined): string {
  return version === undefined ? url : `${url}?v=${version}`;
}

/** Where uploads are posted to. */
export const uploadUrl = '/uploads';
/** Where a route is called over HTTP: `POST /api/queue.add` with its input as JSON. */
export const callUrl = (route: string) => `/api/${route}`;
/** Where the token is exchanged for a cookie. */
export const sessionUrl = '/session';
/** Where the WebSocket with the events is. */
export const eventsUrl = '/events';
