/** What the app sees as its file system. */
export const root = {};
