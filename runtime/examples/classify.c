/* classify_c PROGRAM.xprog PICTURE [DEVICE]: the five likeliest classes of a picture, in C. */

#include <stdio.h>
#include <stdlib.h>
#include <xrun/xrun_c.h>

static int fail(xrun_error* error) {
  fprintf(stderr, "%s\n", xrun_error_message(error));
  if (xrun_error_hint(error)[0] != '\0') fprintf(stderr, "  hint: %s\n", xrun_error_hint(error));
  xrun_error_free(error);
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s PROGRAM.xprog PICTURE [DEVICE]\n", argv[0]);
    return 2;
  }
  xrun_device* device = NULL;
  xrun_program* program = NULL;
  xrun_session* session = NULL;
  xrun_error* error = NULL;
  if (xrun_device_open(argc > 3 ? argv[3] : "sim", &device, &error) != XRUN_OK ||
      xrun_program_load(argv[1], &program, &error) != XRUN_OK ||
      xrun_session_create(device, program, NULL, &session, &error) != XRUN_OK) {
    return fail(error);
  }
  /* The session keeps what it needs of both. */
  xrun_program_free(program);
  xrun_device_close(device);

  const xrun_tensor *in = xrun_session_input(session, 0), *out = xrun_session_output(session, 0);
  const size_t pixels = xrun_tensor_elements(in), classes = xrun_tensor_elements(out);
  float* x = malloc(pixels * sizeof *x);
  float* scores = malloc(classes * sizeof *scores);
  if (x == NULL || scores == NULL) return 1;

  const xrun_array input = {xrun_tensor_name(in), XRUN_FLOAT32, x, pixels};
  const xrun_array output = {xrun_tensor_name(out), XRUN_FLOAT32, scores, classes};
  if (xrun_session_preprocess(session, argv[2], NULL, x, pixels, &error) != XRUN_OK ||
      xrun_session_run(session, &input, 1, &output, 1, &error) != XRUN_OK) {
    return fail(error);
  }
  /* Five times the best of those not yet named; equals in order of their number. */
  for (size_t n = 0; n < 5 && n < classes; ++n) {
    size_t best = 0;
    for (size_t i = 1; i < classes; ++i) {
      if (scores[i] > scores[best]) best = i;
    }
    printf("class %zu  %.4f\n", best, scores[best]);
    scores[best] = -1e30f;
  }
  free(x);
  free(scores);
  xrun_session_destroy(session);
  return 0;
}
