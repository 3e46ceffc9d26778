// The words of C-sim serve the lints too.
#include "overlay_hw/csim/ap_int.h"
