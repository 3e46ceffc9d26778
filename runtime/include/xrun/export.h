#ifndef XRUN_EXPORT_H_
#define XRUN_EXPORT_H_

/// Everything of libxrun is hidden but what carries this mark.
#define XRUN_API __attribute__((visibility("default")))

#endif  // XRUN_EXPORT_H_
