#!/usr/bin/env python3
"""What xcompile --report writes for people: memory.svg and index.html, without a browser and in headless Chromium.

Chromium is optional (Debian package chromium): without it the last part is skipped, and says so.
"""
import argparse
import json
import math
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
import zlib

MODELS = pathlib.Path(__file__).resolve().parent.parent / "models"
SECTIONS = ["Summary", "Layers", "Timeline", "Placement", "Memory"]


def png_colours(path):
    """Distinct colours of an 8 bit RGB or RGBA PNG."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, width, channels = 8, b"", 0, 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, _, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour in (2, 6), "unexpected kind of PNG"
            channels = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    raw, stride, before = zlib.decompress(packed), width * channels, bytearray(width * channels)
    colours = set()
    for top in range(0, len(raw), stride + 1):
        kind, row = raw[top], bytearray(raw[top + 1:top + 1 + stride])
        for i in range(stride):
            a = row[i - channels] if i >= channels else 0
            b, c = before[i], before[i - channels] if i >= channels else 0
            if kind == 1:
                row[i] = (row[i] + a) & 255
            elif kind == 2:
                row[i] = (row[i] + b) & 255
            elif kind == 3:
                row[i] = (row[i] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                best = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                row[i] = (row[i] + best) & 255
        colours.update(bytes(row[i:i + 3]) for i in range(0, stride, channels))
        before = row
    return colours


def layers_of(page):
    """The table of layers: other sections name nodes too."""
    return page[page.index('<h2 id="layers">'):page.index('<h2 id="timeline">')]


def check_files(folder, profile, staggered):
    svg = ET.parse(folder / "memory.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert svg.tag == space + "svg"
    titles = [t.text for t in svg.iter(space + "title")]
    assert any(t.startswith(("whole tensor ", "rows of ")) for t in titles), "no tensor in the memory map"
    bounds = [line for line in svg.iter(space + "line") if line.get("class") == "bound"]
    assert len(bounds) == len(profile["steps"]), "a lower bound for each launch"
    bottom = max(float(line.get("y2")) for line in svg.iter(space + "line"))
    boxes = [r for r in svg.iter(space + "rect")
             if (r.find(space + "title").text or "").startswith(("whole tensor ", "rows of "))]
    assert all(float(r.get("width")) > 0 for r in boxes), "something lives for no time"
    assert not any(re.fullmatch(r"group \d+: ", t) for t in titles), "a group without a name"
    assert staggered == any("(of the request before)" in t for t in titles), "the back half's words"
    words = re.search(r"([\d,]+) words used, ([\d,]+) live at the same time, of ([\d,]+)", "".join(svg.itertext()))
    used, live, total = (int(n.replace(",", "")) for n in words.groups())
    assert 0 < live <= used <= total, words.group()
    tops = [float(r.get("y")) for r in boxes]
    # No placement needs fewer words than the bound: some box reaches it or goes beyond.
    assert min(tops) <= float(bounds[0].get("y1")) + 0.02 < bottom, "the boxes stay below the lower bound"

    page = (folder / "index.html").read_text()
    assert not re.search(r"<script|<link(?![^>]*href=\"data:)|@import|url\(", page), "the page fetches or runs something"
    assert not re.search(r"(src|href)=\"(?!#|data:)", page), "the page refers to something outside"
    for section in SECTIONS:
        assert f">{section}</h2>" in page, section
    nodes = [n for step in profile["steps"] for n in step["nodes"]]
    assert nodes
    layers = layers_of(page)
    for node in nodes:
        assert f"<td>{node['name']}</td>" in layers, f"layer {node['name']} is not in the page"
        if "causes" in node:
            gap = math.floor(sum(node["causes"].values()) + 0.5)  # as printf does, not to even
            assert gap == 0 or f'<td class="n">{gap:,}</td>' in layers, f"gap of {node['name']}"
    for step in profile["steps"]:
        total = step["array_bound"] + sum(step["causes"].values())
        assert abs(total - step["cycles"]) <= 0.005 * step["cycles"], f"causes add up to {total} of {step['cycles']}"
    return nodes


def check_browser(browser, folder, nodes):
    url = (folder / "index.html").resolve().as_uri()
    flags = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
             f"--user-data-dir={folder / 'browser'}", "--window-size=1300,1600"]
    dump = subprocess.run(flags + ["--dump-dom", url], capture_output=True, text=True, timeout=120, check=True)
    layers = layers_of(dump.stdout)
    for node in nodes:
        assert f"<td>{node['name']}</td>" in layers, f"the browser does not show {node['name']}"
    assert dump.stdout.count("<svg") >= 2, "timeline and memory are not drawn"
    assert ":CONSOLE" not in dump.stderr, "messages on the console:\n" + dump.stderr
    picture = folder / "page.png"
    subprocess.run(flags + [f"--screenshot={picture}", url], capture_output=True, timeout=120, check=True)
    colours = png_colours(picture)
    # White paper, dark text, the greens of the overlay's layers; a blank page has one colour.
    assert len(colours) > 20 and bytes([0xDD, 0xFF, 0xDD]) in colours, f"the page is blank: {len(colours)} colours"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--keep", type=pathlib.Path, help="leave the reports in this folder")
    args = parser.parse_args()
    browser = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as temporary:
        base = args.keep or pathlib.Path(temporary)
        for name, flags in (("O2", ["-O2", "--no-stagger"]), ("O0", ["-O0"]), ("staggered", ["--tiling", "stagger=7"])):
            folder = base / name
            folder.mkdir(parents=True, exist_ok=True)
            program = folder / "model.xprog"
            subprocess.run([args.bin / "xcompile", MODELS / "fmnist_mobile.onnx", "--arch", "B512", *flags, "-q", "-o",
                            program, "--report", folder], check=True)
            profile = json.loads(subprocess.run([args.bin / "xobjdump", program, "--profile", "--json"], check=True,
                                                capture_output=True, text=True).stdout)["profile"]
            if name == "O0":  # every tensor through DRAM: no boxes, but a map and a page
                ET.parse(folder / "memory.svg")
                continue
            nodes = check_files(folder, profile, name == "staggered")
            if browser:
                check_browser(browser, folder, nodes)
    print("ok" if browser else "ok; SKIPPED the page in a browser: chromium is not installed")


if __name__ == "__main__":
    sys.exit(main())
