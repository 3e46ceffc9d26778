// expect: stale-row
void Other(int (&row)[4]) {
  for (int i = 0; i < 4; ++i) {
    HW_VITIS(unroll)
    row[i] = 0;
  }
}
