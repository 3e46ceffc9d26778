#!/usr/bin/env python3
"""Derives the C-sim wiring, the block design and the IPs' tops from wiring.def.

    make_wiring.py            writes csim/wiring.inc, synth/wiring.tcl and tops.cpp
    make_wiring.py --check    compares them with what it would write; exit code 1 when one is stale

Refuses descriptions that are not hardware: a FIFO without exactly one writer and one reader, a memory port or slot with
two clients, a port A with a slot, a wire with two writers, an engine that talks to itself.
"""

import argparse
import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = ("load", "conv", "vector", "save")
SLOTS = 8

Memory = collections.namedtuple("Memory", "name type cells words bits")
Stream = collections.namedtuple("Stream", "name type depth")
Dram = collections.namedtuple("Dram", "name ports bytes")
Argument = collections.namedtuple("Argument", "name kind target options direction")


class Process:
    def __init__(self, name, function, ip):
        self.name, self.function, self.ip = name, function, ip
        self.constant, self.arguments = None, []

    @property
    def pascal(self):
        return "".join(part.capitalize() for part in self.name.split("_"))


class Wiring:
    def __init__(self, text):
        self.memories, self.streams, self.wires, self.drams, self.processes = [], [], [], [], []
        self.token_depth = None
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            try:
                self.take(words)
            except (ValueError, IndexError, KeyError) as error:
                raise SystemExit(f"wiring.def:{number}: cannot be read: {line.strip()} ({error})")
        self.check()

    def take(self, words):
        options = dict(w.split("=", 1) for w in words if "=" in w)
        plain = [w for w in words if "=" not in w]
        if words[0] == "memory":
            self.memories.append(Memory(plain[1], plain[2], options["cells"], options["words"], options["bits"]))
        elif words[0] == "stream":
            self.streams.append(Stream(plain[1], plain[2], options["depth"]))
        elif words[0] == "dram" and "ports" in options:
            self.drams.append(Dram(plain[1], options["ports"], options["bytes"]))
        elif words[0] == "wire":
            self.wires.append((plain[1], plain[2]))
        elif words[0] == "tokens":
            self.token_depth = options["depth"]
            for a in ENGINES:
                self.streams += [Stream(f"token_{a}_{b}", "TokenStream", self.token_depth) for b in ENGINES if b != a]
        elif words[0] == "process":
            self.processes.append(Process(plain[1], plain[2], options["ip"]))
        elif words[0] == "constant":
            self.processes[-1].constant = plain[1]
        else:
            name, kind = plain[0], plain[1]
            target = None if kind in ("tokens", "launch") else plain[2]
            direction = plain[-1] if plain[-1] in ("read", "write") else None
            if kind not in ("stream", "streams", "tokens", "wire", "wires", "dram", "memory", "launch"):
                raise ValueError(f"unknown kind '{kind}'")
            if kind == "dram" and ("bursts" not in options or direction is None):
                raise ValueError("bursts under way, and read or write")
            self.processes[-1].arguments.append(Argument(name, kind, target, options, direction))

    def stream_ends(self):
        """(stream, process, pin, C++ expression, direction) of each end of each FIFO."""
        for p in self.processes:
            for a in p.arguments:
                member = f"{p.name}_{a.name}"
                if a.kind == "stream":
                    yield a.target, p.name, a.name, member, a.direction
                elif a.kind in ("streams", "tokens"):
                    for index, other in enumerate(ENGINES):
                        if a.kind == "streams":
                            stream = f"{a.target}_{other}"
                        elif other == p.name:
                            continue
                        else:
                            stream = f"token_{other}_{p.name}" if a.direction == "read" else f"token_{p.name}_{other}"
                        yield stream, p.name, f"{a.name}_{index}", f"{member}[{index}]", a.direction

    def wire_ends(self):
        """(wire, process, pin, direction)."""
        for p in self.processes:
            for a in p.arguments:
                if a.kind == "wire":
                    yield a.target, p.name, a.name, a.direction
                elif a.kind == "wires":
                    for index, other in enumerate(ENGINES):
                        yield f"{a.target}_{other}", p.name, f"{a.name}_{index}", a.direction

    def clients(self):
        """(memory, port, slot, process, argument, direction)."""
        for p in self.processes:
            for a in p.arguments:
                if a.kind == "memory":
                    yield a.target, a.options["port"], a.options.get("slot", ""), p.name, a.name, a.direction

    def masters(self):
        """DRAM -> [(process, argument, direction, bursts)] of its readers and writers."""
        result = collections.OrderedDict((d.name, []) for d in self.drams)
        for p in self.processes:
            for a in p.arguments:
                if a.kind == "dram":
                    result.setdefault(a.target, []).append((p.name, a.name, a.direction, a.options["bursts"]))
        return result

    def check(self):
        def fail(text):
            raise SystemExit(f"wiring.def: {text}")

        ends = collections.defaultdict(lambda: {"read": [], "write": []})
        for stream, process, pin, _, direction in self.stream_ends():
            ends[stream][direction].append(f"{process}/{pin}")
        known = [s.name for s in self.streams]
        for name in ends:
            if name not in known:
                fail(f"no FIFO is called {name}")
        for name in known:
            if [len(ends[name][d]) for d in ("write", "read")] != [1, 1]:
                fail(f"FIFO {name} has writers {ends[name]['write']} and readers {ends[name]['read']}")
        writers = collections.defaultdict(list)
        for wire, process, pin, direction in self.wire_ends():
            if wire not in [w[0] for w in self.wires]:
                fail(f"no wire is called {wire}")
            if direction == "write":
                writers[wire].append(f"{process}/{pin}")
        for wire, _ in self.wires:
            if len(writers[wire]) != 1:
                fail(f"wire {wire} has writers {writers[wire]}")
        known = [d.name for d in self.drams]
        for name, masters in self.masters().items():
            if name not in known:
                fail(f"no DRAM is called {name}")
            if not masters:
                fail(f"DRAM {name} has no reader or writer")
        taken = {}
        for memory, port, slot, process, argument, _ in self.clients():
            if memory not in [m.name for m in self.memories]:
                fail(f"no memory is called {memory}")
            if port not in ("A", "B") or (slot and (port != "B" or not 0 <= int(slot) < SLOTS)):
                fail(f"{process}/{argument}: memories have ports A and B, and port B slots 0 to {SLOTS - 1}")
            key = (memory, port, slot)
            if key in taken:
                fail(f"{memory} port {port} {slot and 'slot ' + slot} has clients {taken[key]} and {process}/{argument}")
            if not slot and any(k[:2] == (memory, port) for k in taken):
                fail(f"{memory} port {port} has more than one client")
            taken[key] = f"{process}/{argument}"


PORTS = {"ActivationMemory": "ActivationPort", "RingMemory": "RingPort", "VectorMemory": "VectorPort",
         "PartialMemory": "PartialPort", "VectorPartialMemory": "VectorPartialPort"}


def cpp(w):
    """csim/wiring.inc: one struct with everything, included into the configuration's namespace."""
    types = {s.name: s.type for s in w.streams}
    wires = dict(w.wires)
    out = ["// Generated from wiring.def by make_wiring.py; a test compares.", "",
           "struct Wiring {", "  // Memories."]
    out += [f"  {m.type} {m.name}{{}};" for m in w.memories]
    out += ["", "  // Registers that others read."]
    for name, kind in w.wires:
        if kind == "EngineReport":
            continue
        out.append(f"  std::atomic<{kind}> {name}{{}};")
    out += ["", "  // DRAM and the masters that go out to it."]
    for d in w.drams:
        out += [f"  csim::Dram {d.name};", f"  std::array<csim::DramMaster, {d.ports}> {d.name}_master;"]
    out += ["", "  // What each process holds: ends of FIFOs, ports of memories, readers and writers of DRAM."]
    for p in w.processes:
        for a in p.arguments:
            member = f"{p.name}_{a.name}"
            if a.kind == "stream":
                out.append(f"  {types[a.target]} {member};")
            elif a.kind in ("streams", "tokens"):
                kind = "TokenStream" if a.kind == "tokens" else types[f"{a.target}_{ENGINES[0]}"]
                out.append(f"  {kind} {member}[kEngines];")
            elif a.kind == "wires":
                out.append(f"  EngineReport {member}[kEngines];")
            elif a.kind == "wire" and wires[a.target] != "EngineReport":
                pointer = "StopSignal" if wires[a.target] == "bool" else "RowCount"
                out.append(f"  {pointer} {member} = &{a.target};")
            elif a.kind == "memory":
                memory = next(m for m in w.memories if m.name == a.target)
                out.append(f"  {PORTS[memory.type]} {member}{{{a.target}}};")
            elif a.kind == "dram":
                out.append(f"  csim::Dram{'Reader' if a.direction == 'read' else 'Writer'} {member};")
    out += ["", "  Wiring() {"]
    ends = collections.defaultdict(dict)
    for stream, _, _, expression, direction in w.stream_ends():
        ends[stream][direction] = expression
    for s in w.streams:
        out.append(f"    {ends[s.name]['read']}.join({ends[s.name]['write']});")
        out.append(f"    {ends[s.name]['write']}.set_depth({s.depth});")
    for d in w.drams:
        out += [f"    for (uint32_t i = 0; i < {d.ports}; ++i) {d.name}_master[i].Join({d.name}, i, {d.ports}, {d.bytes});"]
        out += [f"    {process}_{argument}.Join({d.name}_master, {d.bytes}, kBusBytes, {bursts});"
                for process, argument, _, bursts in w.masters()[d.name]]
    out += ["  }", "", "  /// Every FIFO, by its writer's end.", "  template <typename Visitor>",
            "  void VisitFifos(Visitor&& visit) {"]
    out += [f'    visit("{s.name}", {ends[s.name]["write"]});' for s in w.streams]
    out += ["  }", "  /// Every memory port.", "  template <typename Visitor>", "  void VisitPorts(Visitor&& visit) {"]
    out += [f'    visit("{process}.{argument}", {process}_{argument});'
            for _, _, _, process, argument, _ in w.clients()]
    out += ["  }", "  /// Every reader and writer of DRAM.", "  template <typename Visitor>", "  void VisitRouters(Visitor&& visit) {"]
    out += [f'    visit("{process}.{argument}", {process}_{argument});'
            for d in w.drams for process, argument, _, _ in w.masters()[d.name]]
    out += ["  }", "  /// Both ends of every FIFO and every memory port with its client, for comparing with the block design.",
            "  template <typename Visitor>", "  void VisitPins(Visitor&& visit) {"]
    for _, process, pin, expression, direction in w.stream_ends():
        out.append(f'    visit.Stream("{process}/{pin}", {expression}, {"true" if direction == "write" else "false"});')
    for memory, port, slot, process, argument, direction in w.clients():
        where = port + (slot and f"{slot}")
        out.append(f'    visit.Memory("{process}/{argument}", "{memory}", {memory}, "{where}", '
                   f'{process}_{argument}.memory, {"true" if direction == "write" else "false"});')
    for d in w.drams:
        out += [f'    visit.Dram("{process}/{argument}", {process}_{argument}, "{d.name}", {d.name}_master, '
                f'"{direction}");' for process, argument, direction, _ in w.masters()[d.name]]
    out += ["  }", ""]
    reports = {}
    for p in w.processes:
        for a in p.arguments:
            if a.kind == "wires":
                for index, other in enumerate(ENGINES):
                    reports[f"{a.target}_{other}"] = f"{p.name}_{a.name}[{index}]"
    for p in w.processes:
        given, routers = [p.constant] if p.constant else [], []
        for a in p.arguments:
            if a.kind == "launch":
                given.append("launch")
            elif a.kind == "dram":
                given.append(a.name)
                kind = "DramReadPort" if a.direction == "read" else "DramWritePort"
                routers.append(f"    {kind} {a.name} = &{p.name}_{a.name};")
            elif a.kind == "wire" and wires[a.target] == "EngineReport":
                given.append(reports[a.target])
            else:
                given.append(f"{p.name}_{a.name}")
        call = f"{p.function}({', '.join(given)});"
        out.append(f"  void Run{p.pascal}(const Launch& launch) {{")
        if "launch" not in given:
            out.append("    (void)launch;")
        out += [*routers, f"    {call}", "  }"]
    out += ["", f"  static constexpr size_t kProcesses = {len(w.processes)};",
            "  static const char* ProcessName(size_t i) {", "    static const char* const kNames[] = {"]
    out += ["        " + ", ".join(f'"{p.name}"' for p in w.processes) + "};", "    return kNames[i];", "  }",
            "  void Run(size_t process, const Launch& launch) {", "    switch (process) {"]
    for i, p in enumerate(w.processes):
        out += [f"      case {i}:", f"        return Run{p.pascal}(launch);"]
    out += ["    }", "  }", "};", ""]
    return "\n".join(out)


def tcl(w):
    """synth/wiring.tcl: calls of the procedures of block_design.tcl."""
    out = ["# Generated from wiring.def by make_wiring.py; a test compares.", "# Procedures: block_design.tcl.", ""]
    out += [f"xrun_process {p.name} {p.ip}" for p in w.processes]
    out.append("")
    slots = collections.defaultdict(bool)
    for memory, _, slot, _, _, _ in w.clients():
        slots[memory] = slots[memory] or bool(slot)
    for m in w.memories:
        kind = "banked" if slots[m.name] else "simple"
        out.append(f"xrun_memory {m.name} {kind} {{{m.cells.replace(',', ' ')}}} {m.words} {m.bits}")
    out.append("")
    ends = collections.defaultdict(dict)
    for stream, process, pin, _, direction in w.stream_ends():
        ends[stream][direction] = f"{process}/{pin}"
    out += [f"xrun_fifo {s.name} {s.depth} {ends[s.name]['write']} {ends[s.name]['read']}" for s in w.streams]
    out += [f"xrun_unused {p.name}/to_{e} {p.name}/from_{e}" for e, name in enumerate(ENGINES) for p in w.processes
            if p.name == name and any(a.kind == "tokens" for a in p.arguments)]
    out.append("")
    wires = collections.defaultdict(lambda: {"read": [], "write": []})
    for wire, process, pin, direction in w.wire_ends():
        wires[wire][direction].append(f"{process}/{pin}")
    for name, kind in w.wires:
        command = "xrun_report" if kind == "EngineReport" else "xrun_wire"
        out.append(f"{command} {name} {wires[name]['write'][0]} {{{' '.join(wires[name]['read'])}}}")
    out.append("")
    for memory, port, slot, process, argument, direction in w.clients():
        out.append(f"xrun_client {process} {argument} {memory} {port} {{{slot}}} {direction}")
    out.append("")
    for d in w.drams:
        masters = w.masters()[d.name]
        out.append(f"xrun_dram {d.name} {d.ports} {len(masters)}")
        out += [f"xrun_router {d.name} {d.ports} {d.bytes} {i} {process} {argument} {direction} {bursts}"
                for i, (process, argument, direction, bursts) in enumerate(masters)]
    return "\n".join(out) + "\n"


TOPS_HEAD = """// Generated from wiring.def by make_wiring.py; a test compares.
//
// The IPs of the block design: one function with C linkage for each process of wiring.def. They only name ports and
// their interfaces; an IP's port is called as in wiring.def. Compiled by Vitis HLS with -DXRUN_HW_CONFIG=<name>.
//
// Interfaces: FIFOs are axis; memories are ap_memory, one pair of signals for each bank and part, with the latency of
// rtl/xrun_ram.v (2) or of a rotating slot of rtl/xrun_bank.v (10); DRAM is two or three axis to a reader or writer,
// with absolute addresses; registers that others read are plain wires, held in rtl/xrun_hold.v. Only the control IP has
// s_axilite, at the offsets of isa/launch.h. Not run through Vitis yet: see BUILD.md.

#include "overlay_hw/control.h"

namespace hw = xrun::hw::XRUN_HW_CONFIG;

// Interface pragmas are literal single lines, `key=value` without blanks.
// clang-format off
extern "C" {
"""
# The registers of the only IP that the host sees, then the wires that change while a launch runs (isa/README.md, section 7).
REGISTERS = (("program", "uint64_t ", 0x10), ("weights", "uint64_t ", 0x1C), ("requests", "uint64_t ", 0x28),
             ("status", "uint64_t ", 0x34), ("request_count", "uint32_t ", 0x40), ("cycle_limit", "uint64_t ", 0x48),
             ("flags", "volatile uint32_t* ", 0x54))
# Streams of DramReadPort and DramWritePort (dram.h), in their order.
READS = (("ask", "hw::DramRun"), ("data", "hw::DramAnswer"))
WRITES = (("tell", "hw::DramRun"), ("put", "hw::DramWrite"), ("done", "uint8_t"))


def top(w, p):
    """One IP's function: parameters, interface pragmas, the call of its process."""
    types = {s.name: s.type for s in w.streams}
    wires = dict(w.wires)
    memories = {m.name: m for m in w.memories}
    parameters, pragmas, body, given = [], [], [], [f"xrun::{p.constant}"] if p.constant else []
    returns = "mode=ap_ctrl_hs port=return"
    for a in p.arguments:
        name = a.name
        if a.kind == "launch":
            parameters += [kind + register for register, kind, _ in REGISTERS]
            parameters += ["volatile uint64_t* clock", "volatile bool* clear"]
            pragmas += [f"interface mode=s_axilite port={register} offset=0x{offset:02X} bundle=control"
                        for register, _, offset in REGISTERS]
            pragmas += ["interface mode=ap_none port=clock", "interface mode=ap_vld port=clear"]
            returns = "mode=s_axilite port=return bundle=control"
            body.append("*clear = true;  // FIFOs and held registers empty, then every process starts; fetches wait")
            body.append("hw::Launch launch;")
            body += [f"launch.{'' if register == 'cycle_limit' else 'arguments.'}{register} = {register};"
                     for register, kind, _ in REGISTERS if not kind.startswith("volatile")]
            body += ["launch.wires.flags = flags;", "launch.wires.clock = clock;"]
            given.append("launch")
        elif a.kind in ("stream", "streams", "tokens"):
            kind = "TokenStream" if a.kind == "tokens" else types.get(a.target) or types[f"{a.target}_{ENGINES[0]}"]
            parameters.append(f"hw::{kind}& {name}" if a.kind == "stream" else f"hw::{kind} (&{name})[xrun::kEngines]")
            pragmas.append(f"interface mode=axis port={name}")
            given.append(name)
        elif a.kind == "wires":
            parameters.append(f"hw::EngineReport (&{name})[xrun::kEngines]")
            pragmas += [f"interface mode=ap_none port={name}", f"array_partition variable={name} type=complete dim=0"]
            given.append(name)
        elif a.kind == "wire" and wires[a.target] == "EngineReport":
            parameters.append(f"hw::EngineReport& {name}")
            pragmas += [f"interface mode=ap_vld port={name}", f"array_partition variable={name} type=complete"]
            given.append(name)
        elif a.kind == "wire":
            parameters.append(f"volatile {wires[a.target]}* {name}")
            pragmas.append(f"interface mode={'ap_vld' if a.direction == 'write' else 'ap_none'} port={name}")
            body.append(f"hw::{'StopSignal' if wires[a.target] == 'bool' else 'RowCount'} {name}_wire = {name};")
            given.append(f"{name}_wire")
        elif a.kind == "dram":
            kind, streams = ("DramReadPort", READS) if a.direction == "read" else ("DramWritePort", WRITES)
            parameters += [f"hls::stream<{entry}>& {name}_{stream}" for stream, entry in streams]
            pragmas += [f"interface mode=axis port={name}_{stream}" for stream, _ in streams]
            body.append(f"hw::{kind} {name}_port = {{{', '.join(f'{name}_{stream}' for stream, _ in streams)}}};")
            given.append(f"{name}_port")
        elif a.kind == "memory":
            memory = memories[a.target]
            parameters.append(f"hw::{PORTS[memory.type]}& {name}")
            latency = 10 if a.options.get("slot") else 2
            pragmas.append(f"interface mode=ap_memory port={name} storage_type=ram_1p latency={latency}")
            pragmas += [f"array_partition variable={name} type=complete dim={dim + 1}"
                        for dim in range(len(memory.cells.split(",")))]
            given.append(name)
    pragmas.append(f"interface {returns}")
    return "\n".join([f"void {p.ip}({', '.join(parameters)}) {{"] + [f"#pragma HLS {line}" for line in pragmas]
                     + [f"  {line}" for line in body] + [f"  hw::{p.function}({', '.join(given)});", "}", ""])


def tops(w):
    """tops.cpp."""
    return "\n".join([TOPS_HEAD] + [top(w, p) for p in w.processes] + ['}  // extern "C"', ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--def", dest="description", type=pathlib.Path, default=HERE / "wiring.def")
    options = parser.parse_args()
    wiring = Wiring(options.description.read_text(encoding="utf-8"))
    stale = 0
    for path, text in ((HERE / "csim" / "wiring.inc", cpp(wiring)), (HERE / "synth" / "wiring.tcl", tcl(wiring)),
                       (HERE / "tops.cpp", tops(wiring))):
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(HERE)} is stale: run overlay_hw/make_wiring.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
