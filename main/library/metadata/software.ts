import packageJson from '../../../package.json' with { type: 'json' };

/** Name and version as pictures carry them. A1111 takes a bare version number for one of its own. */
export const softwareName = `Impasto ${packageJson.version}`;
