/** A capability set as the kernel shows it: hexadecimal, bit by number. */
export function capabilitySet(numbers: readonly number[]): string {
  let set = 0n;
  for (const number of numbers) set |= 1n << BigInt(number);
  return set.toString(16);
}
