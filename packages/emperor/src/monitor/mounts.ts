/** File systems that answer from this machine's memory or disks: looking at them cannot hang on somebody else. */
const LOCAL = new Set(
  (
    'bcachefs btrfs cgroup cgroup2 devtmpfs erofs exfat ext2 ext3 ext4 f2fs hugetlbfs iso9660 jfs ntfs3 overlay ' +
    'proc ramfs reiserfs rootfs squashfs sysfs tmpfs vfat xfs zfs'
  ).split(' '),
);

/** Where looking may take forever: network, FUSE and automounted file systems. */
export type SlowMounts = {
  /** Does `path`, free of links, lie on one? */
  readonly hold: (path: string) => boolean;
};

/** The slow mounts in the text of /proc/self/mountinfo. */
export function decodeSlowMounts(mountinfo: string): SlowMounts {
  const points = new Map<string, boolean>();
  for (const line of mountinfo.split('\n')) {
    const [mount, source] = line.split(' - ');
    const point = mount?.split(' ')[4];
    const type = source?.split(' ')[0];
    // A later line lies over an earlier one.
    if (point !== undefined && type !== undefined) points.set(unescape(point), !LOCAL.has(type));
  }
  if (![...points.values()].includes(true)) return { hold: () => false };
  return { hold: (path) => slowAt(points, path) };
}

/** That of the mount that `path` lies on: the longest mount point that leads to it. */
function slowAt(points: ReadonlyMap<string, boolean>, path: string): boolean {
  for (let rest = path; rest !== ''; rest = rest.slice(0, rest.lastIndexOf('/'))) {
    const slow = points.get(rest);
    if (slow !== undefined) return slow;
  }
  return points.get('/') ?? false;
}

/** The kernel writes blank, tab, newline and backslash as `\040`. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
