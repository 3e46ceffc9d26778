# Generated from wiring.def by make_wiring.py; a test compares.
# Procedures: block_design.tcl.

xrun_process control xrun_control
xrun_process fetch_load xrun_fetch_load
xrun_process fetch_conv xrun_fetch_conv
xrun_process fetch_vector xrun_fetch_vector
xrun_process fetch_save xrun_fetch_save
xrun_process load xrun_load
xrun_process conv xrun_conv
xrun_process vector xrun_vector
xrun_process save xrun_save
xrun_process ring xrun_ring

xrun_memory activation banked {kBanks kParts} kActivationRows kPartBits
xrun_memory ring simple {kCP kParts} kWeightRows kPartBits
xrun_memory vector simple {kParts} kVectorRows kPartBits
xrun_memory partial simple {kPP kCP+1} kPartialEntries kAccumulatorBits
xrun_memory vector_partial simple {kCP} kVectorPartialEntries kAccumulatorBits

xrun_fifo token_load_conv kTokenLimit load/to_1 conv/from_0
xrun_fifo token_load_vector kTokenLimit load/to_2 vector/from_0
xrun_fifo token_load_save kTokenLimit load/to_3 save/from_0
xrun_fifo token_conv_load kTokenLimit conv/to_0 load/from_1
xrun_fifo token_conv_vector kTokenLimit conv/to_2 vector/from_1
xrun_fifo token_conv_save kTokenLimit conv/to_3 save/from_1
xrun_fifo token_vector_load kTokenLimit vector/to_0 load/from_2
xrun_fifo token_vector_conv kTokenLimit vector/to_1 conv/from_2
xrun_fifo token_vector_save kTokenLimit vector/to_3 save/from_2
xrun_fifo token_save_load kTokenLimit save/to_0 load/from_3
xrun_fifo token_save_conv kTokenLimit save/to_1 conv/from_3
xrun_fifo token_save_vector kTokenLimit save/to_2 vector/from_3
xrun_fifo start_load kStartDepth control/start_0 fetch_load/start
xrun_fifo start_conv kStartDepth control/start_1 fetch_conv/start
xrun_fifo start_vector kStartDepth control/start_2 fetch_vector/start
xrun_fifo start_save kStartDepth control/start_3 fetch_save/start
xrun_fifo judged_load kStartDepth fetch_load/judged control/judged_0
xrun_fifo judged_conv kStartDepth fetch_conv/judged control/judged_1
xrun_fifo judged_vector kStartDepth fetch_vector/judged control/judged_2
xrun_fifo judged_save kStartDepth fetch_save/judged control/judged_3
xrun_fifo packets_load kPacketDepth fetch_load/packets load/packets
xrun_fifo packets_conv kPacketDepth fetch_conv/packets conv/packets
xrun_fifo packets_vector kPacketDepth fetch_vector/packets vector/packets
xrun_fifo packets_save kPacketDepth fetch_save/packets save/packets
xrun_fifo marks_load kMarkDepth load/marks control/marks_0
xrun_fifo marks_conv kMarkDepth conv/marks control/marks_1
xrun_fifo marks_vector kMarkDepth vector/marks control/marks_2
xrun_fifo marks_save kMarkDepth save/marks control/marks_3
xrun_fifo rows_wanted kRowDepth load/acquire ring/acquire
xrun_fifo rows_granted kRowDepth ring/granted load/granted
xrun_fifo rows_released kRowDepth conv/release ring/release
xrun_unused load/to_0 load/from_0
xrun_unused conv/to_1 conv/from_1
xrun_unused vector/to_2 vector/from_2
xrun_unused save/to_3 save/from_3

xrun_wire stop control/stop {fetch_load/stop fetch_conv/stop fetch_vector/stop fetch_save/stop load/stop conv/stop vector/stop save/stop ring/stop}
xrun_wire ring_end control/ring_end {ring/finished}
xrun_wire rows_acquired ring/acquired {conv/acquired}
xrun_report report_load load/report {control/reports_0}
xrun_report report_conv conv/report {control/reports_1}
xrun_report report_vector vector/report {control/reports_2}
xrun_report report_save save/report {control/reports_3}

xrun_client load result activation B {6} write
xrun_client load ring ring B {} write
xrun_client load parameters vector B {} write
xrun_client conv source activation A {} read
xrun_client conv result activation B {0} write
xrun_client conv residual activation B {1} read
xrun_client conv ring ring A {} read
xrun_client conv partial_read partial A {} read
xrun_client conv partial_write partial B {} write
xrun_client vector read0 activation B {2} read
xrun_client vector read1 activation B {3} read
xrun_client vector read2 activation B {4} read
xrun_client vector result activation B {5} write
xrun_client vector parameters vector A {} read
xrun_client vector partial_read vector_partial A {} read
xrun_client vector partial_write vector_partial B {} write
xrun_client save source activation B {7} read

xrun_dram gmem kDramPorts 8
xrun_router gmem kDramPorts kDramBurstBytes 0 control dram_in read 1
xrun_router gmem kDramPorts kDramBurstBytes 1 control dram_out write 2
xrun_router gmem kDramPorts kDramBurstBytes 2 fetch_load dram read 2
xrun_router gmem kDramPorts kDramBurstBytes 3 fetch_conv dram read 2
xrun_router gmem kDramPorts kDramBurstBytes 4 fetch_vector dram read 2
xrun_router gmem kDramPorts kDramBurstBytes 5 fetch_save dram read 2
xrun_router gmem kDramPorts kDramBurstBytes 6 load dram read kDramOutstanding
xrun_router gmem kDramPorts kDramBurstBytes 7 save dram write 2
