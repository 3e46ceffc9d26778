#!/usr/bin/env python3
"""From the overlay's sources to an xclbin for a board; BUILD.md is the page that goes with it.

    build.py --board KV260 [--arch K26] --out DIR                 everything, with Vitis and Vivado in the PATH
    build.py --board KV260 [--arch K26] --out DIR --generate-only the files alone, which needs neither

Writes to DIR: for each IP hls_<ip>.cfg (v++ -c --mode hls, from 2023.2 on) and hls_<ip>.tcl (vitis_hls, 2022.x);
config.tcl and block_design.tcl's inputs; package.tcl, which makes xrun_overlay.xo; kernel.xml; system.cfg for v++ -l; for
KV260 the firmware folder of xmutil. Exit codes: 0 done, 1 a tool failed or is missing.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
from xml.sax.saxutils import quoteattr

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True

import make_wiring  # noqa: E402

# part, platform (2022.x name), the largest configuration that fits as the source stands (xestimate --resources), memory of
# each master in the platform's words (both reach the same bytes, since bursts alternate), large memories in UltraRAM. Platforms name their memories themselves: `platforminfo -p PLATFORM`.
BOARDS = {
    "KV260": dict(part="xck26-sfvc784-2LV-c", platform="xilinx_kv260_base_202210_1", arch="K26",
                  memory=("HP0", "HP1"), ultra=("activation", "ring")),
    "ZCU102": dict(part="xczu9eg-ffvb1156-2-e", platform="xilinx_zcu102_base_202210_1", arch="B4096",
                   memory=("HP0", "HP1"), ultra=()),
    "ZCU104": dict(part="xczu7ev-ffvc1156-2-e", platform="xilinx_zcu104_base_202210_1", arch="B4096",
                   memory=("HP0", "HP1"), ultra=("activation",)),
    "U50": dict(part="xcu50-fsvh2104-2-e", platform="xilinx_u50_gen3x16_xdma_5_202210_1", arch="B4096",
                memory=("HBM[0:1]", "HBM[0:1]"), ultra=("activation",)),
}
KERNEL = "xrun_overlay"
# Arrays of fewer elements are registers: windows, lines, queues between stages. The others have pragmas of their own.
REGISTERS = 128
SOURCES = ("tops.cpp", "control.cpp", "conv.cpp", "fetch.cpp", "load.cpp", "save.cpp", "vector.cpp")
FIELDS = ("pixels", "channels", "activation_rows", "weight_rows", "partial_entries", "vector_rows",
          "vector_partial_entries", "requant_lanes", "vector_pixels", "clock_mhz", "dram_ports", "dram_port_bytes",
          "dram_efficiency", "dram_burst_bytes", "dram_outstanding")


def configuration(name, path):
    """The fields of a configuration in a file like configs.def."""
    text = path.read_text(encoding="utf-8")
    match = re.search(rf"^XRUN_HW_CONFIGURATION\({re.escape(name)}, \w+, ([\d, ]+)\)", text, re.M)
    if not match:
        known = ", ".join(re.findall(r"^XRUN_HW_CONFIGURATION\((\w+),", text, re.M))
        sys.exit(f"build.py: error: {path.name} has no configuration {name}; it has {known}")
    return dict(zip(FIELDS, (int(v) for v in match.group(1).split(","))))


def constants(config):
    """The names of config.h that wiring.def uses."""
    banks = max(8, 1 << (2 * config["pixels"] - 1).bit_length())
    part = next(n for n in range(min(8, config["channels"]), 0, -1) if config["channels"] % n == 0)
    engines = (ROOT / "overlay_hw" / "engines.h").read_text(encoding="utf-8")
    control = (ROOT / "overlay_hw" / "control.h").read_text(encoding="utf-8")
    dram = (ROOT / "overlay_hw" / "dram.h").read_text(encoding="utf-8")
    isa = (ROOT / "isa" / "isa.h").read_text(encoding="utf-8")
    values = dict(kBanks=banks, kParts=config["channels"] // part, kPartBits=8 * part, kPP=config["pixels"],
                  kCP=config["channels"], kActivationRows=config["activation_rows"], kWeightRows=config["weight_rows"],
                  kVectorRows=config["vector_rows"], kPartialEntries=config["partial_entries"],
                  kVectorPartialEntries=config["vector_partial_entries"], kDramPorts=config["dram_ports"],
                  kDramBurstBytes=config["dram_burst_bytes"], kDramOutstanding=config["dram_outstanding"],
                  kBusBytes=config["dram_ports"] * config["dram_port_bytes"])
    for name, text in (("kPacketDepth", engines), ("kRowDepth", engines), ("kMarkDepth", engines),
                       ("kStartDepth", control), ("kAccumulatorBits", control), ("kTokenLimit", isa), ("kRunsAhead", dram)):
        values[name] = int(re.search(rf"\b{name} = (\d+)", text).group(1))
    fields = re.search(r"enum ReportField[^{]*\{(.*?)\}", engines, re.S).group(1)
    values["kReportFields"] = len(re.findall(r"^\s*kReport(?!Fields)\w+", fields, re.M))
    return values


def registers():
    """Offsets of the kernel's registers, from isa/launch.h."""
    text = (ROOT / "isa" / "launch.h").read_text(encoding="utf-8")
    return {name: int(value, 16) for name, value in re.findall(r"\bkReg(\w+) = (0x[0-9A-Fa-f]+)", text)}


def kernel_xml(config, masters):
    """Arguments as libxrun sets them: number, size, register; addresses go out on gmem0's port."""
    reg = registers()
    pointer = dict(qualifier=1, size=8, type="void*")
    args = [("program", reg["Program"], pointer), ("weights", reg["Weights"], pointer),
            ("requests", reg["Requests"], pointer), ("status", reg["Status"], pointer),
            ("request_count", reg["RequestCount"], dict(qualifier=0, size=4, type="uint")),
            ("cycle_limit", reg["CycleLimit"], dict(qualifier=0, size=8, type="ulong")),
            ("flags", reg["Flags"], dict(qualifier=0, size=4, type="uint"))]
    bits = 8 * config["dram_port_bytes"]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<root versionMajor="1" versionMinor="9">',
             f'  <kernel name="{KERNEL}" language="ip_c" vlnv="xrun:overlay:{KERNEL}:1.0" attributes=""'
             ' preferredWorkGroupSizeMultiple="0" workGroupSize="1" interrupt="true" hwControlProtocol="ap_ctrl_hs">',
             "    <ports>",
             '      <port name="s_axi_control" mode="slave" range="0x1000" dataWidth="32" portType="addressable"'
             ' base="0x0"/>']
    lines += [f'      <port name="m_axi_{m}" mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="{bits}"'
              ' portType="addressable" base="0x0"/>' for m in masters]
    lines += ["    </ports>", "    <args>"]
    for number, (name, offset, kind) in enumerate(args):
        port = "m_axi_gmem0" if kind["qualifier"] == 1 else "s_axi_control"
        size = kind["size"]
        lines.append(f'      <arg name={quoteattr(name)} addressQualifier="{kind["qualifier"]}" id="{number}"'
                     f' port="{port}" size="0x{size:X}" offset="0x{offset:02X}" type={quoteattr(kind["type"])}'
                     f' hostOffset="0x0" hostSize="0x{size:X}"/>')
    lines += ["    </args>", "  </kernel>", "</root>", ""]
    return "\n".join(lines)


def hls_files(top, arch, board, config):
    """hls_<ip>.cfg and hls_<ip>.tcl of one IP."""
    source = ROOT / "overlay_hw"
    flags = f"-std=c++14 -I{ROOT} -DXRUN_HW_CONFIG={arch}"
    cfg = [f"part={board['part']}", "", "[hls]", "flow_target=vivado", "package.output.format=ip_catalog",
           "package.ip.vendor=xrun", "package.ip.library=overlay", f"package.ip.name={top}", "package.ip.version=1.0",
           f"syn.top={top}", f"clock={config['clock_mhz']}MHz",
           f"syn.array_partition.complete_threshold={REGISTERS}"]
    cfg += [f"syn.file={source / name}" for name in SOURCES]
    cfg += [f"syn.cflags={flags}", ""]
    tcl = [f"open_project -reset hls_{top}", f"set_top {top}"]
    tcl += [f"add_files {source / name} -cflags {{{flags}}}" for name in SOURCES]
    tcl += ["open_solution -reset solution -flow_target vivado", f"set_part {board['part']}",
            f"create_clock -period {1000 / config['clock_mhz']:.3f} -name default",
            f"config_array_partition -complete_threshold {REGISTERS}", "csynth_design",
            f"export_design -format ip_catalog -vendor xrun -library overlay -ipname {top} -version 1.0"
            f" -output ip/{top}.zip", "exit", ""]
    return "\n".join(cfg), "\n".join(tcl)


def config_tcl(arch, values, board):
    lines = [f"# Constants of configuration {arch}, as config.h computes them; written by build.py.",
             "set ::xrun_config [dict create \\"]
    lines += [f"  {name} {value} \\" for name, value in values.items()]
    lines += [f"  style_{name} ultra \\" for name in board["ultra"]]
    return "\n".join(lines) + "\n]\n"


def package_tcl(board, masters, out):
    """Block design, then an RTL kernel of it."""
    ports = " ".join(["s_axi_control"] + [f"m_axi_{m}" for m in masters])
    return f"""# Builds the block design and packages it as xrun_overlay.xo: vivado -mode batch -source package.tcl
create_project -force overlay {out / 'vivado'} -part {board['part']}
set_property ip_repo_paths {out / 'ip'} [current_project]
update_ip_catalog
add_files [glob {ROOT / 'overlay_hw' / 'rtl'}/*.v]
source {out / 'config.tcl'}
source {HERE / 'block_design.tcl'}
xrun_begin {KERNEL}
source {HERE / 'wiring.tcl'}
xrun_end
make_wrapper -files [get_files {KERNEL}.bd] -top -import
update_compile_order -fileset sources_1
ipx::package_project -root_dir {out / 'kernel'} -vendor xrun -library overlay -name {KERNEL} -taxonomy /Kernel -import_files -set_current true
set core [ipx::current_core]
set_property version 1.0 $core
set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
foreach port {{{ports}}} {{
  ipx::associate_bus_interfaces -busif $port -clock ap_clk $core
}}
ipx::update_checksums $core
ipx::save_core $core
package_xo -force -xo_path {out / (KERNEL + '.xo')} -kernel_name {KERNEL} -ip_directory {out / 'kernel'} -kernel_xml {out / 'kernel.xml'}
"""


def system_cfg(board, masters):
    lines = ["[connectivity]", f"nk={KERNEL}:1:{KERNEL}_1"]
    lines += [f"sp={KERNEL}_1.m_axi_{m}:{tag}" for m, tag in zip(masters, board["memory"])]
    return "\n".join(lines) + "\n"


def firmware(out):
    """What `xmutil loadapp` takes, but for the bitstream itself: device tree source, shell.json, the .bif of bootgen."""
    folder = out / "firmware"
    folder.mkdir(exist_ok=True)
    (folder / "shell.json").write_text('{\n  "shell_type": "XRT_FLAT",\n  "num_slots": "1"\n}\n', encoding="utf-8")
    (folder / f"{KERNEL}.bif").write_text("all:\n{\n  [destination_device = pl] " + KERNEL + ".bit\n}\n", encoding="utf-8")
    (folder / f"{KERNEL}.dtso").write_text(f"""/* The overlay's device tree for KV260, compiled with: dtc -@ -I dts -O dtb -o {KERNEL}.dtbo {KERNEL}.dtso */
/dts-v1/;
/plugin/;

&fpga_full {{
	firmware-name = "{KERNEL}.bit.bin";
	resets = <&zynqmp_reset 116>, <&zynqmp_reset 117>, <&zynqmp_reset 118>, <&zynqmp_reset 119>;
}};

&amba {{
	afi0: afi0 {{
		compatible = "xlnx,afi-fpga";
		/* 128-bit HP0 and HP1, 32-bit HPM0 */
		config-afi = <4 0>, <5 0>, <6 0>, <7 0>, <14 0x0a00>;
	}};

	clocking0: clocking0 {{
		#clock-cells = <0>;
		assigned-clock-rates = <300000000>;
		assigned-clocks = <&zynqmp_clk 71>;
		clock-output-names = "fabric_clk";
		clocks = <&zynqmp_clk 71>;
		compatible = "xlnx,fclk";
	}};

	zyxclmm_drm {{
		compatible = "xlnx,zocl";
	}};
}};
""", encoding="utf-8")


def generate(board_name, arch, configs, out):
    board = BOARDS[board_name]
    config = configuration(arch, configs)
    wiring = make_wiring.Wiring((ROOT / "overlay_hw" / "wiring.def").read_text(encoding="utf-8"))
    tops = [p.ip for p in wiring.processes]
    masters = [f"{dram.name}{port}" for dram in wiring.drams for port in range(config["dram_ports"])]
    out.mkdir(parents=True, exist_ok=True)
    (out / "ip").mkdir(exist_ok=True)
    for top in tops:
        cfg, tcl = hls_files(top, arch, board, config)
        (out / f"hls_{top}.cfg").write_text(cfg, encoding="utf-8")
        (out / f"hls_{top}.tcl").write_text(tcl, encoding="utf-8")
    (out / "config.tcl").write_text(config_tcl(arch, constants(config), board), encoding="utf-8")
    (out / "package.tcl").write_text(package_tcl(board, masters, out), encoding="utf-8")
    (out / "kernel.xml").write_text(kernel_xml(config, masters), encoding="utf-8")
    (out / "system.cfg").write_text(system_cfg(board, masters), encoding="utf-8")
    if board_name == "KV260":
        firmware(out)
    return tops


def build(board_name, tops, out):
    """Runs the tools, one after the other."""
    board = BOARDS[board_name]
    old = shutil.which("vitis_hls") is not None
    for tool in (("vitis_hls",) if old else ("v++",)) + ("vivado", "v++"):
        if not shutil.which(tool):
            sys.exit(f"build.py: error: {tool} is not in the PATH\n  hint: source settings64.sh of Vitis, or "
                     "--generate-only writes the files without it")

    def run(*command):
        print(" ".join(map(str, command)), flush=True)
        if subprocess.run(list(map(str, command)), cwd=out, check=False).returncode != 0:
            sys.exit(f"build.py: error: {command[0]} failed; its log is in {out}")

    for top in tops:
        if old:
            run("vitis_hls", "-f", f"hls_{top}.tcl")
        else:
            run("v++", "-c", "--mode", "hls", "--config", f"hls_{top}.cfg", "--work_dir", f"ip/{top}")
    run("vivado", "-mode", "batch", "-source", "package.tcl")
    run("v++", "-l", "-t", "hw", "--platform", board["platform"], "--config", "system.cfg", "-o", f"{KERNEL}.xclbin",
        f"{KERNEL}.xo")
    if board_name == "KV260":
        folder = out / "firmware"
        run("xclbinutil", "--force", "--input", f"{KERNEL}.xclbin", "--dump-section", f"BITSTREAM:RAW:firmware/{KERNEL}.bit")
        run("bootgen", "-w", "-arch", "zynqmp", "-process_bitstream", "bin", "-image", f"firmware/{KERNEL}.bif")
        written = next(out.rglob(f"{KERNEL}.bit.bin"), None)  # bootgen writes beside the .bif or where it runs
        if written is None:
            sys.exit(f"build.py: error: bootgen wrote no {KERNEL}.bit.bin")
        if written.parent != folder:
            shutil.move(written, folder / written.name)
        run("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", f"firmware/{KERNEL}.dtbo", f"firmware/{KERNEL}.dtso")
        shutil.copy(out / f"{KERNEL}.xclbin", folder / f"{KERNEL}.xclbin")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", choices=sorted(BOARDS), required=True)
    parser.add_argument("--arch", help="a configuration of --configs [the board's own]")
    parser.add_argument("--configs", type=pathlib.Path, default=ROOT / "overlay_hw" / "configs.def",
                        help="file of configurations, as overlay_hw_configs writes it [overlay_hw/configs.def]")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--generate-only", action="store_true")
    options = parser.parse_args()
    out = options.out.resolve()
    tops = generate(options.board, options.arch or BOARDS[options.board]["arch"], options.configs, out)
    if not options.generate_only:
        build(options.board, tops, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
