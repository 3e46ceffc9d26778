#!/bin/sh
# Packages, build, then a real trained network from ONNX to answers: quantized with 500 training images, compiled for
# B4096, run on all 10,000 test images of Fashion-MNIST in the simulator, with the float model's accuracy beside it.
set -eu
cd "$(dirname "$0")/.."
tools/install_packages.sh
cmake -S . -B build -G Ninja >/dev/null
cmake --build build --target xquantize xcompile xinfer xeval xobjdump
data=/usr/share/datasets/fashion-mnist
model=tests/models/${1:-fmnist_resnet}.onnx
program=build/demo.xprog

echo
echo "== xcompile: $model for B4096"
build/bin/xcompile "$model" --arch B4096 -o "$program" \
  --calib "$data/train-images-idx3-ubyte.gz" --calib-samples 500 \
  --scale 1/255 --mean 0.2860 --std 0.3530 --channel-order gray

echo
echo "== xeval: 10,000 test images, int8 in the simulator and float"
build/bin/xeval "$program" --data "$data/t10k-images-idx3-ubyte.gz" --labels "$data/t10k-labels-idx1-ubyte.gz" \
  --float "$model" --jobs "$(nproc)"
