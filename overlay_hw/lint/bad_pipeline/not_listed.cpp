// expect: not-listed
void Run(int (&row)[4]) {
  for (int i = 0; i < 4; ++i) {
    HW_PIPELINE
    row[i] = 0;
  }
}
