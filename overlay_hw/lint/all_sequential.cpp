// Everything that an open HLS tool takes, as one file for the synthesizability lint: it follows calls from the top.
#include "overlay_hw/conv.cpp"
#include "overlay_hw/load.cpp"
#include "overlay_hw/save.cpp"
#include "overlay_hw/sequential.cpp"
#include "overlay_hw/sequential_top.cpp"
#include "overlay_hw/vector.cpp"
