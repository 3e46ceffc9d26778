#ifndef XRUN_XRUN_C_H_
#define XRUN_XRUN_C_H_

/*
 * libxrun for C and for every language that calls C. C99 and later; nothing throws across this border.
 *
 *   xrun_device* device = NULL;  xrun_program* program = NULL;  xrun_session* session = NULL;  xrun_error* error =
 * NULL; if (xrun_device_open("sim", &device, &error) || xrun_program_load("model.xprog", &program, &error) ||
 *       xrun_session_create(device, program, NULL, &session, &error)) {
 *     fprintf(stderr, "%s\n%s\n", xrun_error_message(error), xrun_error_hint(error));
 *   }
 *   xrun_array x = {"input", XRUN_FLOAT32, pixels, 784}, y = {"output", XRUN_FLOAT32, scores, 10};
 *   xrun_session_run(session, &x, 1, &y, 1, &error);
 *
 * Rules for all of it:
 * - A function that can fail returns an xrun_status and, when it is not XRUN_OK and `error` is not NULL, stores there
 *   an error object that the caller frees. On success nothing is stored there.
 * - NULL for a handle or array is an error where there is an `error`; functions that only ask need handles that are
 *   there.
 * - Handles are opaque. Each is freed by the function of its own; freeing NULL does nothing. A session keeps what it
 *   needs of device and program alive, a request of its session, a bound buffer stays alive with its request.
 * - Strings are UTF-8 and zero-terminated. Those returned live as long as the handle they were asked of.
 * - Threads, order, copying: as the C++ classes of the same names say (xrun/session.h and its neighbours).
 *
 * Versions: functions are only added, and never change. XRUN_C_API_VERSION counts the additions; a program built with
 * version n runs with every library whose xrun_api_version() is n or more. Structures that may grow begin with their
 * size.
 */

#include <stddef.h>
#include <stdint.h>

#include "xrun/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XRUN_C_API_VERSION 1

/* XRUN_C_API_VERSION of the library that is loaded, and its release, "0.1.0". */
XRUN_API uint32_t xrun_api_version(void);
XRUN_API const char* xrun_version(void);

/* Errors ------------------------------------------------------------------------------------------------------------
 */

typedef enum xrun_status {
  XRUN_OK = 0,
  XRUN_INVALID = 1,   /* the caller or a file: wrong name, shape, type, path, program */
  XRUN_TIMEOUT = 2,   /* the request took longer than the session's timeout */
  XRUN_CANCELLED = 3, /* xrun_request_cancel, or its handle was destroyed */
  XRUN_DEVICE = 4,    /* the device: a trap, a launch that failed */
  XRUN_INTERNAL = 5   /* out of memory, or a mistake of the library */
} xrun_status;

typedef struct xrun_error xrun_error;

/* Of NULL: XRUN_OK and "". */
XRUN_API xrun_status xrun_error_code(const xrun_error* error);
XRUN_API const char* xrun_error_message(const xrun_error* error); /* what is wrong, with names */
XRUN_API const char* xrun_error_hint(const xrun_error* error);    /* the way out; may be "" */
XRUN_API void xrun_error_free(xrun_error* error);

/* Devices -----------------------------------------------------------------------------------------------------------
 */

typedef struct xrun_device xrun_device;

/* `name` as Device::open: "sim", "sim:B4096", "xrt:0"; never another device than the one asked for. */
XRUN_API xrun_status xrun_device_open(const char* name, xrun_device** device, xrun_error** error);
XRUN_API void xrun_device_close(xrun_device* device);
XRUN_API const char* xrun_device_name(const xrun_device* device);
XRUN_API const char* xrun_device_description(const xrun_device* device);

/* Tensors -----------------------------------------------------------------------------------------------------------
 */

typedef enum xrun_dtype {
  XRUN_FLOAT32 = 0,
  XRUN_INT8 = 1,
  XRUN_INT32 = 2,
  XRUN_INT64 = 3,
  XRUN_BOOL = 4,                  /* bytes of 0 and 1 */
  XRUN_DTYPE_ANY_INT = 0x7FFFFFFF /* no type: makes every int a value, so that a wrong one can be refused */
} xrun_dtype;

typedef enum xrun_layout {
  XRUN_LAYOUT_MODEL = 0,  /* dense, row-major, in the order of the model's dimensions */
  XRUN_LAYOUT_DEVICE = 1, /* the overlay's own: for buffers, see xrun_session_device_bytes */
  XRUN_LAYOUT_ANY_INT = 0x7FFFFFFF
} xrun_layout;

/* An input or output of a program; lives as long as the program or session it was asked of. */
typedef struct xrun_tensor xrun_tensor;

XRUN_API const char* xrun_tensor_name(const xrun_tensor* tensor);
XRUN_API xrun_dtype xrun_tensor_dtype(const xrun_tensor* tensor);
XRUN_API xrun_layout xrun_tensor_layout(const xrun_tensor* tensor);
XRUN_API size_t xrun_tensor_rank(const xrun_tensor* tensor);          /* 0: a scalar */
XRUN_API const int64_t* xrun_tensor_shape(const xrun_tensor* tensor); /* as many as the rank */
XRUN_API float xrun_tensor_scale(const xrun_tensor* tensor);          /* int8: real = scale * (q - zero_point) */
XRUN_API int32_t xrun_tensor_zero_point(const xrun_tensor* tensor);
XRUN_API size_t xrun_tensor_elements(const xrun_tensor* tensor);
XRUN_API size_t xrun_tensor_bytes(const xrun_tensor* tensor);
XRUN_API size_t xrun_dtype_size(xrun_dtype dtype); /* bytes of an element; 0 for an unknown type */

/* ONNX QuantizeLinear and DequantizeLinear with the tensor's scale and zero point, `elements` of both. */
XRUN_API xrun_status xrun_tensor_quantize(const xrun_tensor* tensor, const float* real, int8_t* q, size_t elements,
                                          xrun_error** error);
XRUN_API xrun_status xrun_tensor_dequantize(const xrun_tensor* tensor, const int8_t* q, float* real, size_t elements,
                                            xrun_error** error);

/* Programs ----------------------------------------------------------------------------------------------------------
 */

typedef struct xrun_program xrun_program;

XRUN_API xrun_status xrun_program_load(const char* path, xrun_program** program, xrun_error** error);
/* From memory, which is copied. */
XRUN_API xrun_status xrun_program_from_memory(const void* data, size_t bytes, xrun_program** program,
                                              xrun_error** error);
XRUN_API void xrun_program_free(xrun_program* program);

XRUN_API const char* xrun_program_model_name(const xrun_program* program);
XRUN_API const char* xrun_program_configuration(const xrun_program* program); /* "B4096" */
XRUN_API const char* xrun_program_preprocessing(const xrun_program* program); /* JSON; "" if none */
/* What the compiler noted under `key`; NULL if nothing. */
XRUN_API const char* xrun_program_info(const xrun_program* program, const char* key);
XRUN_API size_t xrun_program_input_count(const xrun_program* program);
XRUN_API size_t xrun_program_output_count(const xrun_program* program);
/* NULL when there are not as many. */
XRUN_API const xrun_tensor* xrun_program_input(const xrun_program* program, size_t index);
XRUN_API const xrun_tensor* xrun_program_output(const xrun_program* program, size_t index);

/* Sessions ----------------------------------------------------------------------------------------------------------
 */

typedef struct xrun_session xrun_session;

typedef enum xrun_priority {
  XRUN_PRIORITY_LOW = 0,
  XRUN_PRIORITY_NORMAL = 1,
  XRUN_PRIORITY_HIGH = 2,
  XRUN_PRIORITY_ANY_INT = 0x7FFFFFFF
} xrun_priority;

/* As SessionOptions. Start from XRUN_SESSION_OPTIONS_INIT and change what is needed. */
typedef struct xrun_session_options {
  size_t size; /* sizeof(xrun_session_options) */
  uint32_t in_flight;
  uint32_t launches;
  uint32_t requests_per_launch;
  uint32_t cpu_threads;
  uint64_t timeout_ns; /* 0: none */
  int32_t priority;    /* xrun_priority */
  int32_t reserved;    /* 0 */
} xrun_session_options;

#define XRUN_SESSION_OPTIONS_INIT \
  { sizeof(xrun_session_options), 4, 0, 8, 0, 0, XRUN_PRIORITY_NORMAL, 0 }

/* An array of the caller's for one input or output. float32 for an int8 tensor is converted. */
typedef struct xrun_array {
  const char* name;
  xrun_dtype dtype;
  void* data; /* of an input: only read */
  size_t elements;
} xrun_array;

/* `options` NULL: those of XRUN_SESSION_OPTIONS_INIT. */
XRUN_API xrun_status xrun_session_create(const xrun_device* device, const xrun_program* program,
                                         const xrun_session_options* options, xrun_session** session,
                                         xrun_error** error);
XRUN_API void xrun_session_destroy(xrun_session* session);

XRUN_API size_t xrun_session_input_count(const xrun_session* session);
XRUN_API size_t xrun_session_output_count(const xrun_session* session);
XRUN_API const xrun_tensor* xrun_session_input(const xrun_session* session, size_t index);
XRUN_API const xrun_tensor* xrun_session_output(const xrun_session* session, size_t index);

/* Runs and returns when done; arrays N times as large as the tensors are N runs. */
XRUN_API xrun_status xrun_session_run(xrun_session* session, const xrun_array* inputs, size_t input_count,
                                      const xrun_array* outputs, size_t output_count, xrun_error** error);

/* A picture (or .npy) by the program's preprocessing to `elements` floats for input `name` (NULL: the only one). */
XRUN_API xrun_status xrun_session_preprocess(const xrun_session* session, const char* path, const char* name,
                                             float* values, size_t elements, xrun_error** error);

/* Bytes of an input or output in XRUN_LAYOUT_DEVICE; 0: it has no such form, or there is none of that name. */
XRUN_API size_t xrun_session_device_bytes(const xrun_session* session, const char* name);
/* From and to the model's layout. `device` has xrun_session_device_bytes, `model` xrun_tensor_elements. */
XRUN_API xrun_status xrun_session_pack(const xrun_session* session, const char* name, const int8_t* model, void* device,
                                       xrun_error** error);
XRUN_API xrun_status xrun_session_unpack(const xrun_session* session, const char* name, const void* device,
                                         int8_t* model, xrun_error** error);

/* Buffers -----------------------------------------------------------------------------------------------------------
 */

typedef struct xrun_buffer xrun_buffer;

/* Memory that host and device both reach, zeroed. `cacheable` 0: not through the host's caches. */
XRUN_API xrun_status xrun_buffer_allocate(const xrun_device* device, size_t bytes, int cacheable, xrun_buffer** buffer,
                                          xrun_error** error);
/* Another driver's dma-buf; the descriptor stays the caller's. */
XRUN_API xrun_status xrun_buffer_import(const xrun_device* device, int fd, size_t bytes, xrun_buffer** buffer,
                                        xrun_error** error);
/* A new descriptor of this memory, which the caller closes. */
XRUN_API xrun_status xrun_buffer_export(const xrun_buffer* buffer, int* fd, xrun_error** error);
XRUN_API void* xrun_buffer_data(const xrun_buffer* buffer);
XRUN_API size_t xrun_buffer_size(const xrun_buffer* buffer);
XRUN_API xrun_status xrun_buffer_sync_to_device(const xrun_buffer* buffer, size_t offset, size_t bytes,
                                                xrun_error** error);
XRUN_API xrun_status xrun_buffer_sync_from_device(const xrun_buffer* buffer, size_t offset, size_t bytes,
                                                  xrun_error** error);
XRUN_API void xrun_buffer_free(xrun_buffer* buffer);

/* Requests ----------------------------------------------------------------------------------------------------------
 */

typedef struct xrun_request xrun_request;

/* Told on a thread of the session when a request is done. `error` is NULL when it went well, the library's otherwise,
 * and gone when the function returns. It may submit the request again, and must not destroy it. */
typedef void (*xrun_callback)(void* user, const xrun_error* error);

XRUN_API xrun_status xrun_session_request(xrun_session* session, xrun_request** request, xrun_error** error);
/* Cancels what is under way, and waits for it. */
XRUN_API void xrun_request_destroy(xrun_request* request);

/* Memory of an input or output, in the tensor's own type and the model's layout. */
XRUN_API xrun_status xrun_request_input(const xrun_request* request, const char* name, void** data, xrun_error** error);
XRUN_API xrun_status xrun_request_output(const xrun_request* request, const char* name, void** data,
                                         xrun_error** error);

/* A buffer in place of that memory, as Request::bind_input. */
XRUN_API xrun_status xrun_request_bind_input(xrun_request* request, const char* name, const xrun_buffer* buffer,
                                             size_t offset, xrun_layout layout, xrun_error** error);
XRUN_API xrun_status xrun_request_bind_output(xrun_request* request, const char* name, const xrun_buffer* buffer,
                                              size_t offset, xrun_layout layout, xrun_error** error);
XRUN_API xrun_status xrun_request_unbind(xrun_request* request, xrun_error** error);

XRUN_API xrun_status xrun_request_set_priority(xrun_request* request, xrun_priority priority, xrun_error** error);
/* Queues it; returns at once. `callback` may be NULL. */
XRUN_API xrun_status xrun_request_submit(xrun_request* request, xrun_callback callback, void* user, xrun_error** error);
/* Until it is done; its error if it failed. */
XRUN_API xrun_status xrun_request_wait(xrun_request* request, xrun_error** error);
/* `done` becomes 0 when it is still under way after `nanoseconds`; the status is XRUN_OK then. */
XRUN_API xrun_status xrun_request_wait_for(xrun_request* request, uint64_t nanoseconds, int* done, xrun_error** error);
/* Asks it to end early with XRUN_CANCELLED; any thread may. */
XRUN_API void xrun_request_cancel(xrun_request* request);

#ifdef __cplusplus
}
#endif

#endif /* XRUN_XRUN_C_H_ */
