#include <stdio.h>
#include <xrun/xrun_c.h>

int main(int argc, char** argv) {
  xrun_device* device = NULL;
  xrun_program* program = NULL;
  xrun_session* session = NULL;
  xrun_error* error = NULL;
  static signed char x[192], y[192];
  const xrun_array in = {"x", XRUN_INT8, x, 192}, out = {"y", XRUN_INT8, y, 192};
  if (argc != 2) return 2;
  x[7] = 4;
  x[8] = -4;
  if (xrun_device_open("sim", &device, &error) || xrun_program_load(argv[1], &program, &error) ||
      xrun_session_create(device, program, NULL, &session, &error) ||
      xrun_session_run(session, &in, 1, &out, 1, &error)) {
    fprintf(stderr, "%s\n", xrun_error_message(error));
    return 1;
  }
  printf("%d %d, libxrun %s\n", y[7], y[8], xrun_version());
  xrun_session_destroy(session);
  xrun_program_free(program);
  xrun_device_close(device);
  return y[7] == 4 && y[8] == 0 ? 0 : 1;
}
