/** The version of the emperor; a test compares it with every package.json. */
export const VERSION = '0.2.0';
