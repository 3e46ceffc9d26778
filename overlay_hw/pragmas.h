#ifndef XRUN_OVERLAY_HW_PRAGMAS_H_
#define XRUN_OVERLAY_HW_PRAGMAS_H_

// Pragmas in one place. Vitis HLS gets them; the open tool rejects a `pipeline` inside a loop and wants `unroll` before
// it; for host compilers they vanish. XRUN_HW_BARE: memories are plain arrays (both tools); otherwise they count.

#if defined(__BAMBU__) || defined(__SYNTHESIS__)
#define XRUN_HW_BARE 1
#endif

#define XRUN_HW_PRAGMA_(x) _Pragma(#x)
#if defined(__BAMBU__)
#define HW_VITIS(x)
#define HW_UNROLL XRUN_HW_PRAGMA_(clang loop unroll(full))
#define HW_PIPELINE
#elif defined(__SYNTHESIS__)
#define HW_VITIS(x) XRUN_HW_PRAGMA_(HLS x)
#define HW_UNROLL
#define HW_PIPELINE XRUN_HW_PRAGMA_(HLS pipeline II = 1)
#else
#define HW_VITIS(x)
#define HW_UNROLL
#define HW_PIPELINE
#endif

#endif  // XRUN_OVERLAY_HW_PRAGMAS_H_
