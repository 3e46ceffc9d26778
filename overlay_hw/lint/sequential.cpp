// The open tool's top and what it calls, as one file for the synthesizability lint.
#include "overlay_hw/conv.cpp"
#include "overlay_hw/load.cpp"
#include "overlay_hw/save.cpp"
#include "overlay_hw/sequential.cpp"
#include "overlay_hw/sequential_top.cpp"
#include "overlay_hw/vector.cpp"
