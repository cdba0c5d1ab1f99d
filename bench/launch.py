#!/usr/bin/env python3
"""One jailed launch, from the request to the first line of the app's main, beside the same namespaces made by the bare
system calls (`nsexec` of the bench harness): the figures of docs/performance.md, row "one jailed launch in the keeper".

    python3 bench/launch.py HARNESS_BIN [COUNT]        as root; HARNESS_BIN holds `nsexec` and `tick`, below /srv

Both sides take turns, so that a busy machine harms them alike. Nothing is left behind. The blob of the default jail is
the one that a real emperor sends (seen with strace); `equal` has the namespaces, the /proc and the ids of nsexec only."""
import codecs, os, re, shutil, signal, socket, statistics, subprocess, sys, time

BIN, COUNT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIST = f"{REPO}/packages/emperor/dist"
BASE = f"/srv/launch-bench.{os.getpid()}"
GROUP = f"emperor-bench-{os.getpid()}"
NEWPID_NS_UTS_IPC = 0x20000000 | 0x00020000 | 0x04000000 | 0x08000000


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def emperors_blob(command):
    """what an emperor sends for the default jail of `command`, its control groups, and its scratch directory"""
    os.makedirs(f"{BASE}/v")
    with open(f"{BASE}/v/app.ini", "w") as f:
        f.write(f"[vassal]\ncommand = {command}\nautostart = yes\nrestart = never\n")
    trace = f"{BASE}.trace"
    paths = ["--vassals", f"{BASE}/v", "--runtime-dir", f"{BASE}/run", "--log-dir", f"{BASE}/log", "--state-dir", f"{BASE}/state"]
    argv = ["strace", "-qq", "-o", trace, "-s", "200000", "-e", "trace=writev,write,sendmsg,%signal", "node", f"{DIST}/cli.js", "run", *paths]
    emperor = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            time.sleep(0.1)
            text = open(trace, errors="surrogateescape").read() if os.path.exists(trace) else ""
            found = re.search(r'iov_base="launch 1 (\d+) (\d+)\\n((?:[^"\\]|\\.)*)", iov_len', text)
            if found:
                break
    finally:
        node = subprocess.run(["pgrep", "-P", str(emperor.pid)], capture_output=True, text=True).stdout.split()
        for pid in node:
            os.kill(int(pid), signal.SIGTERM)
        emperor.wait(30)
        os.unlink(trace)
    tag, size = int(found[1]), int(found[2])
    blob = codecs.escape_decode(found[3].encode("utf-8", "surrogateescape"))[0][tag:]
    assert len(blob) == size, (len(blob), size)
    instance = re.search(rb"/(emperor-[0-9a-f]{8})/", blob)[1]
    return blob.replace(instance, GROUP.encode())


class Ticks:
    def __init__(self):
        self.path = f"{BASE}/tick.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.settimeout(5)

    def stamp(self):
        """CLOCK_MONOTONIC ns at the first line of the app's main"""
        for word in self.socket.recv(4096).split():
            if word.isdigit() and len(word) > 9:
                return int(word)
        raise RuntimeError("not a tick")


class Keeper:
    def __init__(self, name):
        for d in ("keepers", "log", "jail"):
            os.makedirs(f"{BASE}/bench/{d}", mode=0o700, exist_ok=True)
        argv = [f"{DIST}/keeper", "spawner", f"{BASE}/bench/keepers", "-", " " * 80]
        self.spawner = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.spawner.stdin.write(f"spawn {name} {name} {BASE}/bench/log/{name}\n".encode())
        self.spawner.stdin.flush()
        self.pid = int(self.spawner.stdout.readline().split()[2])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{BASE}/bench/keepers/{name}")
        self.lines = self.socket.makefile("rb")
        self.until(b"replayed")

    def cpu_ms(self):
        """of the keeper and of all that it has reaped"""
        with open(f"/proc/{self.pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")

    def until(self, *starts):
        for line in self.lines:
            if line.startswith(b"fail") and b"fail" not in starts:
                raise RuntimeError(line)
            if line.startswith(starts):
                return line

    def launch(self, generation, blob, ticks):
        request = f"launch {generation} 0 {len(blob)}\n".encode() + blob
        begin = now()
        self.socket.sendall(request)
        took = (ticks.stamp() - begin) / 1e6
        self.until(f"gone {generation}".encode())
        self.socket.sendall(f"forget {generation}\n".encode())
        self.until(b"ack forget")
        return took

    def end(self):
        self.socket.sendall(b"quit\n")
        self.until(b"ack quit")
        self.spawner.stdin.close()
        self.spawner.wait(10)


def floor(ticks):
    argv = [f"{BIN}/nsexec", "pmui", "65534", f"{BIN}/tick", "j", ticks.path, "once"]
    begin = now()
    pid = os.posix_spawn(argv[0], argv, {})
    took = (ticks.stamp() - begin) / 1e6
    os.waitpid(pid, 0)
    return took


def words(*all):
    return b"".join(str(word).encode() + b"\0" for word in all)


def equal_blob(ticks):
    command = [f"{BIN}/tick", "j", ticks.path, "once"]
    return words("unshare", NEWPID_NS_UTS_IPC, "proc", 0, "hostname", "jail", "gid", 65534, "uid", 65534, "caps", "0", "no-new-privs",
                 *(w for word in command for w in ("arg", word)))


def main():
    command = f"{BIN}/tick j {BASE}/tick.sock once"
    os.makedirs(BASE)
    os.chmod(BASE, 0o755)
    groups = [f"/sys/fs/cgroup/{h}/{GROUP}" for h in ("unified", "pids", "memory", "cpu", "") if os.path.isfile(f"/sys/fs/cgroup/{h}/cgroup.procs")]
    try:
        ticks = Ticks()
        default = emperors_blob(command).replace(f"{BASE}/run".encode(), f"{BASE}/bench".encode())
        ticks.socket.setblocking(False)
        try:
            while True:
                ticks.socket.recv(4096)
        except BlockingIOError:
            ticks.socket.settimeout(5)
        for group in groups:
            os.mkdir(group)
        os.makedirs(f"{BASE}/bench/notify")
        plain, full, equal = Keeper("plain"), Keeper("full"), equal_blob(ticks)
        took = {"floor": [], "equal": [], "default": []}
        before = os.times()
        for i in range(COUNT):
            took["floor"].append(floor(ticks))
            took["equal"].append(plain.launch(i + 1, equal, ticks))
            took["default"].append(full.launch(i + 1, default.replace(b"/app/g1", f"/app/g{i + 1}".encode()), ticks))
        after = os.times()
        floor_ms = (after.children_user + after.children_system - before.children_user - before.children_system) * 1000
        cpu = {"floor": floor_ms, "equal": plain.cpu_ms(), "default": full.cpu_ms()}
        plain.end()
        full.end()
        for name, all in took.items():
            best, median, tenth = min(all), statistics.median(all), sorted(all)[len(all) * 9 // 10]
            ratios = " ".join(f"{a / b:.2f}" for a, b in ((median, statistics.median(took["floor"])), (best, min(took["floor"])), (cpu[name], cpu["floor"])))
            print(f"{name:8} median {median:.3f} ms, best {best:.3f}, nine of ten below {tenth:.3f}, CPU {cpu[name] / COUNT:.3f}; of the floor: {ratios}")
    finally:
        for group in groups:
            for path, _, _ in os.walk(group, topdown=False):
                os.rmdir(path)
        shutil.rmtree(BASE, ignore_errors=True)


main()
