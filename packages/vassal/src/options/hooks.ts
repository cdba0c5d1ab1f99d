/** What the operator has done around the jail. */
export const hooks = {};
