import { fileURLToPath } from 'node:url';

/** The keeper that the build puts beside the bundled commands. */
export const KEEPER_BINARY: string = fileURLToPath(new URL('./keeper', import.meta.url));
