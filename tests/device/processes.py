#!/usr/bin/env python3
"""Several processes on one device: three run networks at the same time, with inputs of their own, and each must get the
simulator's bytes for them. A fourth is killed by SIGKILL with requests under way; the others go on, and who comes later
finds a device that works.

    tests/device/processes.py --bin build/bin --device xrt:0,xclbin=overlay.xclbin

does it on a board. With --server the device is the stand-in board in a process of its own (tests/stand_in_board/
board_server.cpp): then also what the board counts is looked at. --programs as for run.py.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import run

PROCESSES = 3


STARTED = []  # processes to be killed when something fails


def start(*arguments, **keywords):
    STARTED.append(subprocess.Popen(*arguments, stdout=subprocess.PIPE, text=True, **keywords))
    return STARTED[-1]


class Server:
    """The stand-in board for several processes."""

    def __init__(self, tools, folder, options):
        self.socket = str(pathlib.Path(folder) / "board")
        self.process = start([str(tools / "board_server"), self.socket], stdin=subprocess.PIPE,
                             env=dict(os.environ, XRUN_STAND_IN=options))
        assert self.process.stdout.readline() == "ready\n", "the board did not start"

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def counts(self):
        return self.ask("counts")

    def until(self, what, condition):
        """Units and connections have threads of their own: what is to become true may take a moment."""
        end = time.monotonic() + 60
        while not condition(counts := self.counts()):
            for client in Client.all:
                if client.process.poll() not in (None, 0, -signal.SIGKILL):
                    client.expect_success("a process")
            if time.monotonic() > end:
                sys.exit(f"{what}: {counts}")
            time.sleep(0.01)
        return counts

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Client:
    """device_test, the concurrency test only; its output is collected."""

    all = []

    def __init__(self, tools, environment, programs, seed, requests):
        variables = dict(environment, XRUN_TEST_FIRST_SEED=str(seed), XRUN_TEST_REQUESTS=str(requests),
                         XRUN_TEST_PROGRAMS=programs)
        self.process = start([str(tools / "device_test"), "--gtest_filter=NetworkTest.ManyRequestsAtATime"],
                             env=variables, stderr=subprocess.STDOUT)
        self.output = ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        Client.all.append(self)

    def read(self):
        self.output = self.process.stdout.read()

    def wait(self):
        code = self.process.wait()
        self.reader.join()
        return code

    def expect_success(self, who):
        if self.wait() != 0 or "[  PASSED  ] 1 test." not in self.output:
            sys.exit(f"{who} ended with {self.process.returncode}:\n{self.output}")


def expect_use_alone(tools, environment, device, program, server):
    """A unit that one process has for itself is refused to others by name; the other unit is not."""

    def bench(which, requests):
        return start([str(tools / "xbench"), str(program), "--device", which, "--requests", str(requests)],
                     env=environment, stderr=subprocess.STDOUT)

    owner = bench(device + ",unit=xrun_overlay_1", 1000000)
    server.until("nobody has the unit", lambda c: c["contexts"] > 0 and c["commands"] > 0)
    for which, hint in ((device + ",unit=xrun_overlay_1", "leave out unit="), (device, "unit=NAME")):
        refused = bench(which, 10)
        text = refused.communicate()[0]
        if refused.returncode != 1 or "in use by someone else" not in text or hint not in text:
            sys.exit(f"{which}: got a unit that is in use alone, or no good reason ({refused.returncode}): {text}")
    other = bench(device + ",unit=xrun_overlay_2", 10)
    text = other.communicate()[0]
    if other.returncode != 0:
        sys.exit(f"the unit that is free was refused: {text}")
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    server.until("the unit of a process that was killed is not free", lambda c: c["contexts"] == 0)
    again = bench(device + ",unit=xrun_overlay_1", 10)
    text = again.communicate()[0]
    if again.returncode != 0:
        sys.exit(f"the unit of a process that was killed is not free: {text}")


def one_each(folder, temporary):
    """Folders of one program each, so that the processes run different ones."""
    folders = []
    for program in sorted(p for p in folder.glob("*.xprog") if not p.stem.endswith("_debug")):
        folders.append(str(temporary / program.stem))
        os.mkdir(folders[-1])
        os.symlink(program.resolve(), pathlib.Path(folders[-1]) / program.name)
    return folders


def main():
    parser = run.option_parser(__doc__)
    parser.add_argument("--server", action="store_true", help="on the stand-in board in a process of its own")
    parser.add_argument("--requests", type=int, default=200, help="of each process [200]")
    options = parser.parse_args()
    tools = options.bin.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.programs or pathlib.Path(temporary) / "programs"
        folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, XRUN_TEST_DEVICE=options.device)
        run.check(tools, environment)
        server = None
        if options.server:
            server = Server(tools, temporary, "latency_us=2000")
            environment["XRUN_STAND_IN_SOCKET"] = server.socket
        run.compile_all(tools, options.device, folder)
        programs = one_each(folder, pathlib.Path(temporary))

        def client(i, requests):
            return Client(tools, environment, programs[i % len(programs)], 100 * i, requests)

        clients = []
        for i in range(PROCESSES + 1):
            clients.append(client(i, 10**9 if i == 0 else options.requests))
            if server is not None:  # each is held up when it has the device open, so that none ends before all began
                server.until(f"process {i} does not come", lambda c: c["clients"] == len(clients))
                clients[-1].process.send_signal(signal.SIGSTOP)
        victim = clients.pop(0)
        if server is not None:
            for held in (victim, *clients):
                held.process.send_signal(signal.SIGCONT)
            together = server.until("the processes are not together on the board",
                                    lambda c: c["clients"] == PROCESSES + 1 and c["commands"] > PROCESSES)
            print("together:", together)
            if not server.ask(f"kill {victim.process.pid}")["killed"]:
                sys.exit("the process to be killed was not")
        else:
            time.sleep(1)
            victim.process.send_signal(signal.SIGKILL)
        if victim.wait() != -signal.SIGKILL:
            sys.exit(f"the process to be killed ended by itself:\n{victim.output}")
        for i, survivor in enumerate(clients):
            survivor.expect_success(f"process {i}")
        client(PROCESSES + 1, options.requests).expect_success("a process that came later")
        if server is not None:
            counts = server.until("something was not given back", lambda c: not any(
                c[k] for k in ("clients", "buffers", "contexts", "commands")))
            if not all(counts["launches"]):
                sys.exit(f"a unit had nothing to do: {counts}")
            print("afterwards:", counts)
            if len(counts["launches"]) > 1:
                expect_use_alone(tools, environment, options.device, sorted(folder.glob("*.xprog"))[0], server)
            server.close()
    print(f"{PROCESSES} processes, one more killed, one later: every output right")


if __name__ == "__main__":
    try:
        main()
    finally:
        for process in STARTED:
            process.kill()
