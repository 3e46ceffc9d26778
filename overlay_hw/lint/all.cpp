// Everything that becomes hardware, as one file for the synthesizability lint: it follows calls from the tops.
#include "overlay_hw/control.cpp"
#include "overlay_hw/conv.cpp"
#include "overlay_hw/fetch.cpp"
#include "overlay_hw/load.cpp"
#include "overlay_hw/save.cpp"
#include "overlay_hw/tops.cpp"
#include "overlay_hw/vector.cpp"
