/** Namespaces of others, and ours for others. */
export const joining = {};
