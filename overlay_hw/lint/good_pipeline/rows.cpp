void Clear(int (&row)[8]) {
  for (int i = 0; i < 8; ++i) {
    HW_VITIS(unroll)
    row[i] = 0;
  }
}
void Run(int (&rows)[4][8]) {
  for (int r = 0; r < 4; ++r) {
    HW_PIPELINE
    Clear(rows[r]);
  }
}
