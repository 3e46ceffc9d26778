#!/usr/bin/env python3
"""What would go to Vitis and Vivado, as far as it can be checked without them.

    packaging_test.py --root ROOT --pins csim_pins [--make-xclbin make_xclbin]

- csim/wiring.inc and synth/wiring.tcl are those of wiring.def; wrong descriptions are refused.
- Files of all four boards: Tcl runs in tclsh with every Vivado command mocked; device tree source compiles with dtc;
  kernel.xml has the kernel, arguments and registers that libxrun uses; .cfg, .json and .bif read.
- The block design's connections, found by following its nets, are those of C-sim, found by following its pointers; and
  each HLS pin it names is a parameter of the IP's top.
Parts whose tool is missing are skipped aloud; exit code 77 when tclsh is.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
BOARDS = ("KV260", "ZCU102", "ZCU104", "U50")


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)


def check_descriptions(root, folder):
    """The generator finds its files fresh, and refuses what is not hardware."""
    tool = root / "overlay_hw" / "make_wiring.py"
    done = run(sys.executable, tool, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    good = (root / "overlay_hw" / "wiring.def").read_text(encoding="utf-8")
    for old, new, why in (
            ("activation port=B slot=7 read", "activation port=B slot=6 read", "has clients"),
            ("ring port=A read", "ring port=B read", "has clients"),
            ("activation port=B slot=1 read", "activation port=C read", "ports A and B"),
            ("stream rows_granted write", "stream rows_granted read", "has writers"),
            ("stop      wire    stop write", "stop      wire    stop read", "has writers"),
            ("stream rows_released", "stream rows_freed", "no FIFO is called"),
            ("report     wire    report_load write", "report     wires", "cannot be read"),
            ("dram    gmem bursts=2", "dram    hbm bursts=2", "no DRAM is called"),
            ("dram    gmem bursts=2 read", "dram    gmem bursts=2", "cannot be read"),
            ("dram    gmem bursts=2", "dram    gmem", "cannot be read")):
        assert good.count(old) >= 1, f"wiring.def has no '{old}'"
        path = folder / "wrong.def"
        path.write_text(good.replace(old, new, 1), encoding="utf-8")
        done = run(sys.executable, tool, "--check", "--def", path)
        assert done.returncode != 0 and why in done.stderr, f"not refused: {new}: {done.stdout}{done.stderr}"


def check_kernel(root, path, make_xclbin, folder):
    """Name, arguments and registers against libxrun and the stand-in board."""
    kernel = xml.etree.ElementTree.parse(path).getroot().find("kernel")
    board = (root / "runtime" / "xrt_board.cpp").read_text(encoding="utf-8")
    assert kernel.get("name") == re.search(r'kKernel = "(\w+)"', board).group(1)
    assert kernel.get("hwControlProtocol") == "ap_ctrl_hs"
    # isa/README.md, section 7, written down once more: the table of registers.
    table = re.findall(r"^\| 0x(\w\w) \| (\w+) \| (\d)", (root / "isa" / "README.md").read_text(encoding="utf-8"), re.M)
    args = [(a.get("name"), int(a.get("offset"), 16), int(a.get("id"))) for a in kernel.iter("arg")]
    assert args == [(name, int(offset, 16), int(number)) for offset, name, number in table] and len(args) == 7, args
    sizes = {a.get("name"): (int(a.get("size"), 16), a.get("addressQualifier")) for a in kernel.iter("arg")}
    used = {int(n) for n in re.findall(r"set_arg\((\d)", board + (root / "runtime" / "xrt_lane.cpp").read_text(encoding="utf-8"))}
    assert used == set(range(7)), used
    ports = {p.get("name") for p in kernel.iter("port")}
    assert all(a.get("port") in ports for a in kernel.iter("arg"))
    if make_xclbin is None or not make_xclbin.exists():
        print("skipped: comparison with the stand-in board's metadata, make_xclbin is not built")
        return
    xclbin = folder / "stand_in.xclbin"
    done = run(make_xclbin, "--arch", "B512", "-o", xclbin)
    assert done.returncode == 0, done.stderr
    text = xclbin.read_bytes()
    start = text.index(b"<?xml")
    metadata = text[start:text.index(b"</project>") + len(b"</project>")].decode()
    other = next(k for k in xml.etree.ElementTree.fromstring(metadata).iter("kernel"))
    assert other.get("name") == kernel.get("name")
    for arg in other.iter("arg"):
        name = arg.get("name")
        assert sizes[name] == (int(arg.get("size"), 16), arg.get("addressQualifier")), name
        assert (name, int(arg.get("offset"), 16), int(arg.get("id"))) in args, name


def parameters(root):
    """IP -> names of its top's parameters."""
    text = (root / "overlay_hw" / "tops.cpp").read_text(encoding="utf-8")
    tops = {}
    for name, arguments in re.findall(r"^void (xrun_\w+)\(([^{]*)\) \{", text, re.M):
        arguments = re.sub(r"\[[^\]]*\]", "", arguments)
        tops[name] = {re.search(r"(\w+)\)?\s*$", a.strip()).group(1) for a in arguments.split(",")}
    return tops


def stream_pins(root):
    """IP -> pins of its streams."""
    text = (root / "overlay_hw" / "tops.cpp").read_text(encoding="utf-8")
    pins = {}
    for name, arguments in re.findall(r"^void (xrun_\w+)\(([^{]*)\) \{", text, re.M):
        streams = re.findall(r"(?:Stream|stream<[^>]*>)& ?(\w+)", arguments)
        streams += [f"{array}_{i}" for array in re.findall(r"Stream \(&(\w+)\)\[xrun::kEngines\]", arguments) for i in range(4)]
        pins[name] = {f"{stream}_T{pin}" for stream in streams for pin in ("DATA", "VALID", "READY")}
    return pins


def follow(lines, tops, streams):
    """Connections of the block design, between HLS pins, with FIFOs and memories between them."""
    cells, pairs, sinks = {}, [], collections.Counter()
    for line in lines:
        words = line.split()
        if words[0] == "cell":
            cells[words[1]] = words[2]
        elif words[0] == "net":
            pairs.append((words[1], words[2]))
            sinks[words[2]] += 1
    for sink, count in sinks.items():
        assert count == 1, f"{sink} has {count} drivers"
    connected = {pin for pair in pairs for pin in pair}
    for cell, module in cells.items():
        for pin in streams.get(module.split(":")[2] if module.startswith("xrun:overlay:") else "", ()):
            assert f"{cell}/{pin}" in connected, f"{cell}/{pin} is left unconnected"
    routers, routed = collections.defaultdict(set), set()
    for a, b in pairs:  # a process's stream, its reader or writer, the kernel's ports
        for near, far in ((a, b), (b, a)):
            cell, _, pin = far.partition("/")
            match = re.fullmatch(r"[sm]_(ask|data|tell|put|done)_t(data|valid|ready)", pin)
            if cells.get(cell) in ("xrun_reader", "xrun_writer") and match:
                routers[cell].add(re.sub(rf"_{match.group(1)}_T(DATA|VALID|READY)$", "", near))
                assert near.endswith(f"_{match.group(1)}_T{match.group(2).upper()}"), (near, far)
    for a, b in pairs:
        match = re.fullmatch(r"axi_([a-z]+\d)/S(\d\d)_AXI", b)
        if not match:
            continue
        cell, _, pin = a.partition("/")
        assert f"axi_{match.group(1)}" in cells and cells[f"axi_{match.group(1)}"].endswith("smartconnect:1.0")
        kind, (process,) = cells[cell], routers[cell]
        routed.add(("dram", process, re.fullmatch(r"m(\d)_axi", pin).group(1), match.group(1),
                    {"xrun_reader": "read", "xrun_writer": "write"}[kind]))
    fifos, memories, holds = collections.defaultdict(dict), set(), collections.defaultdict(lambda: ([], []))
    for a, b in pairs:
        for pin in (a, b):
            cell, _, name = pin.partition("/")
            top = cells.get(cell, "")
            if not top.startswith("xrun:overlay:") or name.startswith(("ap_", "s_axi_", "interrupt")):
                continue
            parameter = re.sub(r"(_\d+)*(_(address|ce|we|d|q)0|_T(DATA|VALID|READY)|_ap_vld)?$", "", name)
            ip = top.split(":")[2]
            assert name in tops[ip] or parameter in tops[ip], f"{pin}: {ip} has no parameter {parameter}"
        here, there = a.partition("/"), b.partition("/")
        if there[0].startswith("fifo_") and there[2] == "s_tdata":
            fifos[there[0]]["writer"] = a[:-len("_TDATA")]
        if here[0].startswith("fifo_") and here[2] == "m_tdata":
            fifos[here[0]]["reader"] = b[:-len("_TDATA")]
        for pin, other, kind in ((there, a, "write"), (here, b, "read")):
            match = re.fullmatch(r"mem_([a-z_]+)_[\d_]+", pin[0])
            port = re.fullmatch(r"(a|b|s\d)_([dq])", pin[2])
            if match and port:
                memories.add((match.group(1), port.group(1), re.sub(r"(_\d+)+_[dq]0$", "", other), kind))
    found = {("fifo", f["writer"], f["reader"]) for f in fifos.values()}
    names = {"a": "A", "b": "B"}
    found |= routed
    found |= {("memory", m, names.get(p, "B" + p[1:]), pin, kind) for m, p, pin, kind in memories}
    return found, len(cells), len(pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--pins", type=pathlib.Path, required=True)
    parser.add_argument("--make-xclbin", type=pathlib.Path)
    options = parser.parse_args()
    root = options.root
    if not shutil.which("tclsh"):
        print("SKIPPED: tclsh is not installed")
        return 77
    csim = set()
    done = run(options.pins)
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "memory":
            assert words[5] == "bound", line
        csim.add(tuple(words[:5]) if words[0] == "memory" else tuple(words))
    assert len(csim) > 40, done.stdout
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        check_descriptions(root, folder)
        for board in BOARDS:
            out = folder / board
            done = run(sys.executable, root / "overlay_hw" / "synth" / "build.py", "--board", board, "--out", out,
                       "--generate-only")
            assert done.returncode == 0, done.stdout + done.stderr
            check_kernel(root, out / "kernel.xml", options.make_xclbin, folder)
            done = run("tclsh", HERE / "mock_vivado.tcl", out / "package.tcl")
            assert done.returncode == 0 and done.stdout.endswith("end\n"), done.stderr
            design, cells, nets = follow(done.stdout.splitlines(), parameters(root), stream_pins(root))
            assert design == csim, f"only in the block design: {design - csim}; only in C-sim: {csim - design}"
            scripts = sorted(out.glob("hls_*.tcl"))
            assert len(scripts) == 10
            for script in scripts:
                done = run("tclsh", HERE / "mock_vivado.tcl", script)
                top = script.stem[len("hls_"):]
                assert f"did set_top {top}" in done.stdout and "did export_design" in done.stdout, done.stderr
                cfg = (out / f"hls_{top}.cfg").read_text(encoding="utf-8")
                for source in re.findall(r"^syn\.file=(.*)$", cfg, re.M):
                    assert pathlib.Path(source).exists(), source
                assert f"syn.top={top}\n" in cfg and "flow_target=vivado" in cfg and "[hls]" in cfg
            assert f"nk=xrun_overlay:1:xrun_overlay_1" in (out / "system.cfg").read_text(encoding="utf-8")
            print(f"{board}: {cells} cells, {nets} nets, {len(design)} connections as in C-sim")
        firmware = folder / "KV260" / "firmware"
        assert json.loads((firmware / "shell.json").read_text(encoding="utf-8")) == {"shell_type": "XRT_FLAT", "num_slots": "1"}
        assert "xrun_overlay.bit" in (firmware / "xrun_overlay.bif").read_text(encoding="utf-8")
        if shutil.which("dtc"):
            done = run("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", folder / "x.dtbo", firmware / "xrun_overlay.dtso")
            assert done.returncode == 0 and not done.stderr, done.stderr
        else:
            print("skipped: device tree source, dtc is not installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
