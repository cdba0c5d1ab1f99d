/** What the kernel refuses to the app beyond its rights. */
export const filters = {};
