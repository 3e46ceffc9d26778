/* libxrun as a C program sees it: one header, C11. c_api_test DIR, where make_programs has written. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xrun/xrun_c.h>

#define ELEMENTS 192 /* 1x12x4x4 */

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

/* Must succeed; everything after it would make no sense otherwise. */
#define MUST(call)                                                                              \
  do {                                                                                          \
    xrun_error* error = NULL;                                                                   \
    if ((call) != XRUN_OK) {                                                                    \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, xrun_error_message(error)); \
      exit(1);                                                                                  \
    }                                                                                           \
  } while (0)

/* Must fail with this code and these words in message and hint. */
#define FAILS(expected, text, way_out, call)                                                                  \
  do {                                                                                                        \
    xrun_error* error = NULL;                                                                                 \
    CHECK((call) == (expected));                                                                              \
    CHECK(xrun_error_code(error) == (expected));                                                              \
    if (strstr(xrun_error_message(error), text) == NULL || strstr(xrun_error_hint(error), way_out) == NULL) { \
      fprintf(stderr, "%s:%d: says \"%s\" / \"%s\"\n", __FILE__, __LINE__, xrun_error_message(error),         \
              xrun_error_hint(error));                                                                        \
      ++failures;                                                                                             \
    }                                                                                                         \
    xrun_error_free(error);                                                                                   \
  } while (0)

static int8_t value_at(int i, int seed) { return (int8_t)((i * 37 + seed * 11) % 256 - 128); }
static int8_t relu(int8_t v) { return v > 0 ? v : 0; }

static void sleep_ms(long ms) {
  const struct timespec time = {0, ms * 1000000L};
  nanosleep(&time, NULL);
}

static void test_programs_and_tensors(const char* folder, xrun_program* relu_program) {
  CHECK(xrun_api_version() == XRUN_C_API_VERSION);
  CHECK(strlen(xrun_version()) >= 5);
  CHECK(strcmp(xrun_program_model_name(relu_program), "relu") == 0);
  CHECK(strcmp(xrun_program_configuration(relu_program), "B512") == 0);
  CHECK(strcmp(xrun_program_preprocessing(relu_program), "") == 0);
  CHECK(xrun_program_info(relu_program, "no such key") == NULL);
  CHECK(xrun_program_input_count(relu_program) == 1 && xrun_program_output_count(relu_program) == 1);
  CHECK(xrun_program_input(relu_program, 1) == NULL && xrun_program_output(relu_program, 1) == NULL);
  const xrun_tensor* x = xrun_program_input(relu_program, 0);
  CHECK(strcmp(xrun_tensor_name(x), "x") == 0);
  CHECK(xrun_tensor_dtype(x) == XRUN_INT8 && xrun_tensor_layout(x) == XRUN_LAYOUT_MODEL);
  CHECK(xrun_tensor_rank(x) == 4 && xrun_tensor_shape(x)[1] == 12 && xrun_tensor_shape(x)[3] == 4);
  CHECK(xrun_tensor_scale(x) == 0.5f && xrun_tensor_zero_point(x) == 0);
  CHECK(xrun_tensor_elements(x) == ELEMENTS && xrun_tensor_bytes(x) == ELEMENTS);
  CHECK(xrun_dtype_size(XRUN_FLOAT32) == 4 && xrun_dtype_size(XRUN_INT64) == 8 && xrun_dtype_size((xrun_dtype)99) == 0);
  const float real[3] = {1.0f, -3.25f, 1000.0f};
  int8_t q[3];
  float back[3];
  MUST(xrun_tensor_quantize(x, real, q, 3, &error));
  CHECK(q[0] == 2 && q[1] == -6 && q[2] == 127);
  MUST(xrun_tensor_dequantize(x, q, back, 3, &error));
  CHECK(back[0] == 1.0f && back[1] == -3.0f && back[2] == 63.5f);

  char path[4096];
  snprintf(path, sizeof path, "%s/relu.xprog", folder);
  FILE* file = fopen(path, "rb");
  CHECK(file != NULL);
  static char bytes[1 << 20];
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  xrun_program* copy = NULL;
  MUST(xrun_program_from_memory(bytes, size, &copy, &error));
  CHECK(strcmp(xrun_program_model_name(copy), "relu") == 0);
  xrun_program_free(copy);
  copy = NULL;
  FAILS(XRUN_INVALID, "memory", "", xrun_program_from_memory(bytes, size / 2, &copy, &error));
  FAILS(XRUN_INVALID, "no_such_file", "", xrun_program_load("no_such_file.xprog", &copy, &error));
  FAILS(XRUN_INVALID, "argument 'path' is NULL", "", xrun_program_load(NULL, &copy, &error));
  CHECK(copy == NULL);
  CHECK(xrun_program_load("no_such_file.xprog", &copy, NULL) == XRUN_INVALID); /* who wants no error object gets none */
}

static void test_run(xrun_session* session, xrun_session* mixed) {
  int8_t x[2 * ELEMENTS], y[2 * ELEMENTS];
  float xf[ELEMENTS], yf[ELEMENTS], p[ELEMENTS];
  for (int i = 0; i < 2 * ELEMENTS; ++i) x[i] = value_at(i, 1);
  const xrun_array in = {"x", XRUN_INT8, x, 2 * ELEMENTS}, out = {"y", XRUN_INT8, y, 2 * ELEMENTS};
  MUST(xrun_session_run(session, &in, 1, &out, 1, &error));
  for (int i = 0; i < 2 * ELEMENTS; ++i) CHECK(y[i] == relu(x[i]));

  for (int i = 0; i < ELEMENTS; ++i) xf[i] = 0.5f * (float)x[i];
  const xrun_array float_in = {"x", XRUN_FLOAT32, xf, ELEMENTS};
  const xrun_array both[2] = {{"p", XRUN_FLOAT32, p, ELEMENTS}, {"y", XRUN_FLOAT32, yf, ELEMENTS}};
  MUST(xrun_session_run(mixed, &float_in, 1, both, 2, &error));
  float sum = 0.0f;
  for (int c = 0; c < 12; ++c) sum += p[c * 16];
  CHECK(sum > 0.999f && sum < 1.001f);
  for (int i = 0; i < ELEMENTS; ++i) CHECK(yf[i] == 0.25f * (float)relu(x[i]));

  const xrun_array wrong_name = {"imput", XRUN_INT8, x, ELEMENTS}, wrong_type = {"x", XRUN_INT32, x, ELEMENTS},
                   no_type = {"x", (xrun_dtype)17, x, ELEMENTS}, wrapped = {"x", (xrun_dtype)257, x, ELEMENTS},
                   no_data = {"x", XRUN_INT8, NULL, ELEMENTS};
  FAILS(XRUN_INVALID, "no input 'imput'", "x", xrun_session_run(session, &wrong_name, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "given int32", "float32", xrun_session_run(session, &wrong_type, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "unknown type 17", "XRUN_", xrun_session_run(session, &no_type, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "unknown type 257", "XRUN_", xrun_session_run(session, &wrapped, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "is NULL", "", xrun_session_run(session, &no_data, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "is NULL", "", xrun_session_run(session, NULL, 1, NULL, 0, &error));
  FAILS(XRUN_INVALID, "nowhere.png", "", xrun_session_preprocess(session, "nowhere.png", NULL, xf, ELEMENTS, &error));
}

struct told {
  atomic_int count, go;
  xrun_status last;
};

static void count_it(void* user, const xrun_error* error) {
  struct told* told = user;
  told->last = xrun_error_code(error);
  atomic_fetch_add(&told->count, 1);
}

/* Keeps the session's only thread busy. */
static void block(void* user, const xrun_error* error) {
  struct told* told = user;
  CHECK(error == NULL);
  atomic_fetch_add(&told->count, 1);
  while (!atomic_load(&told->go)) sleep_ms(1);
}

static void test_requests(xrun_device* device, xrun_program* program) {
  xrun_session_options options = XRUN_SESSION_OPTIONS_INIT;
  options.launches = 1;
  options.timeout_ns = 500000000; /* a machine may be slow for a while */
  xrun_session* session = NULL;
  MUST(xrun_session_create(device, program, &options, &session, &error));
  xrun_request *first = NULL, *second = NULL, *third = NULL;
  MUST(xrun_session_request(session, &first, &error));
  MUST(xrun_session_request(session, &second, &error));
  MUST(xrun_session_request(session, &third, &error));
  FAILS(XRUN_INVALID, "never submitted", "", xrun_request_wait(first, &error));

  void *x = NULL, *y = NULL;
  MUST(xrun_request_input(first, "x", &x, &error));
  MUST(xrun_request_output(first, "y", &y, &error));
  for (int i = 0; i < ELEMENTS; ++i) ((int8_t*)x)[i] = value_at(i, 2);
  struct told told = {0, 0, XRUN_INTERNAL};
  MUST(xrun_request_set_priority(first, XRUN_PRIORITY_HIGH, &error));
  MUST(xrun_request_submit(first, count_it, &told, &error));
  MUST(xrun_request_wait(first, &error));
  CHECK(told.count == 1 && told.last == XRUN_OK);
  for (int i = 0; i < ELEMENTS; ++i) CHECK(((int8_t*)y)[i] == relu(value_at(i, 2)));

  /* One waits while the other's callback holds the thread: it can be waited for in vain, and cancelled. */
  struct told blocked = {0, 0, XRUN_OK};
  MUST(xrun_request_submit(first, block, &blocked, &error));
  while (!atomic_load(&blocked.count)) sleep_ms(1);
  MUST(xrun_request_submit(second, NULL, NULL, &error));
  FAILS(XRUN_INVALID, "under way", "wait", xrun_request_submit(second, NULL, NULL, &error));
  int done = 1;
  MUST(xrun_request_wait_for(second, 1000000, &done, &error));
  CHECK(done == 0);
  MUST(xrun_request_submit(third, count_it, &told, &error));
  xrun_request_cancel(second);
  FAILS(XRUN_CANCELLED, "cancelled", "", xrun_request_wait(second, &error));
  /* The third is left to the session's timeout. */
  FAILS(XRUN_TIMEOUT, "500 ms", "timeout", xrun_request_wait_for(third, UINT64_MAX, &done, &error));
  CHECK(told.count == 2 && told.last == XRUN_TIMEOUT);
  atomic_store(&blocked.go, 1);
  MUST(xrun_request_wait(first, &error));
  MUST(xrun_request_submit(third, NULL, NULL, &error));
  MUST(xrun_request_wait(third, &error));

  /* A request outlives its session; one under way may be destroyed. */
  MUST(xrun_request_submit(second, NULL, NULL, &error));
  xrun_session_destroy(session);
  xrun_request_destroy(second);
  MUST(xrun_request_submit(first, NULL, NULL, &error));
  MUST(xrun_request_wait(first, &error));
  xrun_request_destroy(first);
  xrun_request_destroy(third);

  options.size = 8;
  session = NULL;
  FAILS(XRUN_INVALID, "8 bytes", "INIT", xrun_session_create(device, program, &options, &session, &error));
  options = (xrun_session_options)XRUN_SESSION_OPTIONS_INIT;
  options.in_flight = 0;
  FAILS(XRUN_INVALID, "in_flight", "", xrun_session_create(device, program, &options, &session, &error));
  options.in_flight = 1;
  options.priority = 9;
  FAILS(XRUN_INVALID, "priority 9", "XRUN_PRIORITY", xrun_session_create(device, program, &options, &session, &error));
  CHECK(session == NULL);
}

static void test_buffers(xrun_device* device, xrun_session* session) {
  const size_t bytes = xrun_session_device_bytes(session, "x");
  CHECK(bytes == 256);
  CHECK(xrun_session_device_bytes(session, "nothing") == 0);
  xrun_buffer *in = NULL, *same = NULL, *out = NULL;
  MUST(xrun_buffer_allocate(device, bytes, 1, &in, &error));
  MUST(xrun_buffer_allocate(device, ELEMENTS, 0, &out, &error));
  CHECK(xrun_buffer_size(in) == bytes && ((size_t)xrun_buffer_data(in) & 4095) == 0);
  int fd = -1;
  MUST(xrun_buffer_export(in, &fd, &error));
  MUST(xrun_buffer_import(device, fd, bytes, &same, &error));
  close(fd);
  FAILS(XRUN_INVALID, "descriptor -1", "", xrun_buffer_import(device, -1, bytes, &in, &error));

  int8_t x[ELEMENTS];
  for (int i = 0; i < ELEMENTS; ++i) x[i] = value_at(i, 3);
  MUST(xrun_session_pack(session, "x", x, xrun_buffer_data(same), &error));
  MUST(xrun_buffer_sync_to_device(same, 0, bytes, &error));
  xrun_request* request = NULL;
  MUST(xrun_session_request(session, &request, &error));
  MUST(xrun_request_bind_input(request, "x", in, 0, XRUN_LAYOUT_DEVICE, &error));
  MUST(xrun_request_bind_output(request, "y", out, 0, XRUN_LAYOUT_MODEL, &error));
  xrun_buffer_free(in);
  MUST(xrun_request_submit(request, NULL, NULL, &error));
  MUST(xrun_request_wait(request, &error));
  MUST(xrun_buffer_sync_from_device(out, 0, ELEMENTS, &error));
  const int8_t* y = xrun_buffer_data(out);
  for (int i = 0; i < ELEMENTS; ++i) CHECK(y[i] == relu(x[i]));
  int8_t back[ELEMENTS];
  MUST(xrun_session_unpack(session, "x", xrun_buffer_data(same), back, &error));
  CHECK(memcmp(back, x, sizeof x) == 0);
  FAILS(XRUN_INVALID, "sync of 193", "", xrun_buffer_sync_to_device(out, 0, ELEMENTS + 1, &error));
  FAILS(XRUN_INVALID, "unknown layout 5", "", xrun_request_bind_input(request, "x", same, 0, (xrun_layout)5, &error));
  MUST(xrun_request_unbind(request, &error));
  xrun_request_destroy(request);
  xrun_buffer_free(same);
  xrun_buffer_free(out);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  char path[4096];
  xrun_device* device = NULL;
  xrun_program *relu_program = NULL, *mixed_program = NULL;
  xrun_session *session = NULL, *mixed = NULL;
  MUST(xrun_device_open("sim:check", &device, &error));
  CHECK(strcmp(xrun_device_name(device), "sim:check") == 0 && strstr(xrun_device_description(device), "simulator"));
  snprintf(path, sizeof path, "%s/relu.xprog", argv[1]);
  MUST(xrun_program_load(path, &relu_program, &error));
  snprintf(path, sizeof path, "%s/mixed.xprog", argv[1]);
  MUST(xrun_program_load(path, &mixed_program, &error));
  xrun_device* other = NULL;
  FAILS(XRUN_INVALID, "unknown device 'simm'", "sim", xrun_device_open("simm", &other, &error));

  MUST(xrun_session_create(device, relu_program, NULL, &session, &error));
  MUST(xrun_session_create(device, mixed_program, NULL, &mixed, &error));
  CHECK(xrun_session_input_count(session) == 1 && xrun_session_output_count(mixed) == 2);
  CHECK(strcmp(xrun_tensor_name(xrun_session_output(mixed, 0)), "p") == 0);
  CHECK(xrun_session_input(session, 1) == NULL);

  xrun_device* b4096 = NULL;
  xrun_session* refused = NULL;
  MUST(xrun_device_open("sim:B4096", &b4096, &error));
  FAILS(XRUN_INVALID, "B512", "xcompile", xrun_session_create(b4096, relu_program, NULL, &refused, &error));
  xrun_device_close(b4096);

  test_programs_and_tensors(argv[1], relu_program);
  test_run(session, mixed);
  test_requests(device, relu_program);
  test_buffers(device, session);

  xrun_program_free(relu_program);
  xrun_program_free(mixed_program);
  xrun_device_close(device);
  const int8_t x[ELEMENTS] = {1};
  int8_t y[ELEMENTS];
  const xrun_array in = {"x", XRUN_INT8, (void*)x, ELEMENTS}, out = {"y", XRUN_INT8, y, ELEMENTS};
  MUST(xrun_session_run(session, &in, 1, &out, 1, &error)); /* it keeps what it needs */
  CHECK(y[0] == 1);
  xrun_session_destroy(session);
  xrun_session_destroy(mixed);
  xrun_session_destroy(NULL);
  xrun_error_free(NULL);
  CHECK(xrun_error_code(NULL) == XRUN_OK && xrun_error_message(NULL)[0] == '\0');
  if (failures != 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
