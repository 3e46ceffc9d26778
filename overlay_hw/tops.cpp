// Generated from wiring.def by make_wiring.py; a test compares.
//
// The IPs of the block design: one function with C linkage for each process of wiring.def. They only name ports and
// their interfaces; an IP's port is called as in wiring.def. Compiled by Vitis HLS with -DXRUN_HW_CONFIG=<name>.
//
// Interfaces: FIFOs are axis; memories are ap_memory, one pair of signals for each bank and part, with the latency of
// rtl/xrun_ram.v (2) or of a rotating slot of rtl/xrun_bank.v (10); DRAM is two or three axis to a reader or writer,
// with absolute addresses; registers that others read are plain wires, held in rtl/xrun_hold.v. Only the control IP has
// s_axilite, at the offsets of isa/launch.h. Not run through Vitis yet: see BUILD.md.

#include "overlay_hw/control.h"

namespace hw = xrun::hw::XRUN_HW_CONFIG;

// Interface pragmas are literal single lines, `key=value` without blanks.
// clang-format off
extern "C" {

void xrun_control(uint64_t program, uint64_t weights, uint64_t requests, uint64_t status, uint32_t request_count, uint64_t cycle_limit, volatile uint32_t* flags, volatile uint64_t* clock, volatile bool* clear, hls::stream<hw::DramRun>& dram_in_ask, hls::stream<hw::DramAnswer>& dram_in_data, hls::stream<hw::DramRun>& dram_out_tell, hls::stream<hw::DramWrite>& dram_out_put, hls::stream<uint8_t>& dram_out_done, hw::StartStream (&start)[xrun::kEngines], hw::TokenStream (&judged)[xrun::kEngines], volatile bool* stop, volatile bool* ring_end, hw::EngineReport (&reports)[xrun::kEngines], hw::TokenStream (&marks)[xrun::kEngines]) {
#pragma HLS interface mode=s_axilite port=program offset=0x10 bundle=control
#pragma HLS interface mode=s_axilite port=weights offset=0x1C bundle=control
#pragma HLS interface mode=s_axilite port=requests offset=0x28 bundle=control
#pragma HLS interface mode=s_axilite port=status offset=0x34 bundle=control
#pragma HLS interface mode=s_axilite port=request_count offset=0x40 bundle=control
#pragma HLS interface mode=s_axilite port=cycle_limit offset=0x48 bundle=control
#pragma HLS interface mode=s_axilite port=flags offset=0x54 bundle=control
#pragma HLS interface mode=ap_none port=clock
#pragma HLS interface mode=ap_vld port=clear
#pragma HLS interface mode=axis port=dram_in_ask
#pragma HLS interface mode=axis port=dram_in_data
#pragma HLS interface mode=axis port=dram_out_tell
#pragma HLS interface mode=axis port=dram_out_put
#pragma HLS interface mode=axis port=dram_out_done
#pragma HLS interface mode=axis port=start
#pragma HLS interface mode=axis port=judged
#pragma HLS interface mode=ap_vld port=stop
#pragma HLS interface mode=ap_vld port=ring_end
#pragma HLS interface mode=ap_none port=reports
#pragma HLS array_partition variable=reports type=complete dim=0
#pragma HLS interface mode=axis port=marks
#pragma HLS interface mode=s_axilite port=return bundle=control
  *clear = true;  // FIFOs and held registers empty, then every process starts; fetches wait
  hw::Launch launch;
  launch.arguments.program = program;
  launch.arguments.weights = weights;
  launch.arguments.requests = requests;
  launch.arguments.status = status;
  launch.arguments.request_count = request_count;
  launch.cycle_limit = cycle_limit;
  launch.wires.flags = flags;
  launch.wires.clock = clock;
  hw::DramReadPort dram_in_port = {dram_in_ask, dram_in_data};
  hw::DramWritePort dram_out_port = {dram_out_tell, dram_out_put, dram_out_done};
  hw::StopSignal stop_wire = stop;
  hw::StopSignal ring_end_wire = ring_end;
  hw::ControlEngine(launch, dram_in_port, dram_out_port, start, judged, stop_wire, ring_end_wire, reports, marks);
}

void xrun_fetch_load(hw::StartStream& start, hw::TokenStream& judged, hls::stream<hw::DramRun>& dram_ask, hls::stream<hw::DramAnswer>& dram_data, hw::PacketStream& packets, volatile bool* stop) {
#pragma HLS interface mode=axis port=start
#pragma HLS interface mode=axis port=judged
#pragma HLS interface mode=axis port=dram_ask
#pragma HLS interface mode=axis port=dram_data
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::DramReadPort dram_port = {dram_ask, dram_data};
  hw::StopSignal stop_wire = stop;
  hw::FetchProcess(xrun::kLoad, start, judged, dram_port, packets, stop_wire);
}

void xrun_fetch_conv(hw::StartStream& start, hw::TokenStream& judged, hls::stream<hw::DramRun>& dram_ask, hls::stream<hw::DramAnswer>& dram_data, hw::PacketStream& packets, volatile bool* stop) {
#pragma HLS interface mode=axis port=start
#pragma HLS interface mode=axis port=judged
#pragma HLS interface mode=axis port=dram_ask
#pragma HLS interface mode=axis port=dram_data
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::DramReadPort dram_port = {dram_ask, dram_data};
  hw::StopSignal stop_wire = stop;
  hw::FetchProcess(xrun::kConv, start, judged, dram_port, packets, stop_wire);
}

void xrun_fetch_vector(hw::StartStream& start, hw::TokenStream& judged, hls::stream<hw::DramRun>& dram_ask, hls::stream<hw::DramAnswer>& dram_data, hw::PacketStream& packets, volatile bool* stop) {
#pragma HLS interface mode=axis port=start
#pragma HLS interface mode=axis port=judged
#pragma HLS interface mode=axis port=dram_ask
#pragma HLS interface mode=axis port=dram_data
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::DramReadPort dram_port = {dram_ask, dram_data};
  hw::StopSignal stop_wire = stop;
  hw::FetchProcess(xrun::kVector, start, judged, dram_port, packets, stop_wire);
}

void xrun_fetch_save(hw::StartStream& start, hw::TokenStream& judged, hls::stream<hw::DramRun>& dram_ask, hls::stream<hw::DramAnswer>& dram_data, hw::PacketStream& packets, volatile bool* stop) {
#pragma HLS interface mode=axis port=start
#pragma HLS interface mode=axis port=judged
#pragma HLS interface mode=axis port=dram_ask
#pragma HLS interface mode=axis port=dram_data
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::DramReadPort dram_port = {dram_ask, dram_data};
  hw::StopSignal stop_wire = stop;
  hw::FetchProcess(xrun::kSave, start, judged, dram_port, packets, stop_wire);
}

void xrun_load(hw::PacketStream& packets, hw::TokenStream (&from)[xrun::kEngines], hw::TokenStream (&to)[xrun::kEngines], hw::RowStream& acquire, hw::TokenStream& granted, volatile bool* stop, hw::EngineReport& report, hw::TokenStream& marks, hls::stream<hw::DramRun>& dram_ask, hls::stream<hw::DramAnswer>& dram_data, hw::ActivationPort& result, hw::RingPort& ring, hw::VectorPort& parameters) {
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=axis port=from
#pragma HLS interface mode=axis port=to
#pragma HLS interface mode=axis port=acquire
#pragma HLS interface mode=axis port=granted
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_vld port=report
#pragma HLS array_partition variable=report type=complete
#pragma HLS interface mode=axis port=marks
#pragma HLS interface mode=axis port=dram_ask
#pragma HLS interface mode=axis port=dram_data
#pragma HLS interface mode=ap_memory port=result storage_type=ram_1p latency=10
#pragma HLS array_partition variable=result type=complete dim=1
#pragma HLS array_partition variable=result type=complete dim=2
#pragma HLS interface mode=ap_memory port=ring storage_type=ram_1p latency=2
#pragma HLS array_partition variable=ring type=complete dim=1
#pragma HLS array_partition variable=ring type=complete dim=2
#pragma HLS interface mode=ap_memory port=parameters storage_type=ram_1p latency=2
#pragma HLS array_partition variable=parameters type=complete dim=1
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::StopSignal stop_wire = stop;
  hw::DramReadPort dram_port = {dram_ask, dram_data};
  hw::LoadEngine(packets, from, to, acquire, granted, stop_wire, report, marks, dram_port, result, ring, parameters);
}

void xrun_conv(hw::PacketStream& packets, hw::TokenStream (&from)[xrun::kEngines], hw::TokenStream (&to)[xrun::kEngines], hw::RowStream& release, volatile uint32_t* acquired, volatile bool* stop, hw::EngineReport& report, hw::TokenStream& marks, hw::ActivationPort& source, hw::ActivationPort& result, hw::ActivationPort& residual, hw::RingPort& ring, hw::PartialPort& partial_read, hw::PartialPort& partial_write) {
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=axis port=from
#pragma HLS interface mode=axis port=to
#pragma HLS interface mode=axis port=release
#pragma HLS interface mode=ap_none port=acquired
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_vld port=report
#pragma HLS array_partition variable=report type=complete
#pragma HLS interface mode=axis port=marks
#pragma HLS interface mode=ap_memory port=source storage_type=ram_1p latency=2
#pragma HLS array_partition variable=source type=complete dim=1
#pragma HLS array_partition variable=source type=complete dim=2
#pragma HLS interface mode=ap_memory port=result storage_type=ram_1p latency=10
#pragma HLS array_partition variable=result type=complete dim=1
#pragma HLS array_partition variable=result type=complete dim=2
#pragma HLS interface mode=ap_memory port=residual storage_type=ram_1p latency=10
#pragma HLS array_partition variable=residual type=complete dim=1
#pragma HLS array_partition variable=residual type=complete dim=2
#pragma HLS interface mode=ap_memory port=ring storage_type=ram_1p latency=2
#pragma HLS array_partition variable=ring type=complete dim=1
#pragma HLS array_partition variable=ring type=complete dim=2
#pragma HLS interface mode=ap_memory port=partial_read storage_type=ram_1p latency=2
#pragma HLS array_partition variable=partial_read type=complete dim=1
#pragma HLS array_partition variable=partial_read type=complete dim=2
#pragma HLS interface mode=ap_memory port=partial_write storage_type=ram_1p latency=2
#pragma HLS array_partition variable=partial_write type=complete dim=1
#pragma HLS array_partition variable=partial_write type=complete dim=2
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::RowCount acquired_wire = acquired;
  hw::StopSignal stop_wire = stop;
  hw::ConvEngine(packets, from, to, release, acquired_wire, stop_wire, report, marks, source, result, residual, ring, partial_read, partial_write);
}

void xrun_vector(hw::PacketStream& packets, hw::TokenStream (&from)[xrun::kEngines], hw::TokenStream (&to)[xrun::kEngines], volatile bool* stop, hw::EngineReport& report, hw::TokenStream& marks, hw::ActivationPort& read0, hw::ActivationPort& read1, hw::ActivationPort& read2, hw::ActivationPort& result, hw::VectorPort& parameters, hw::VectorPartialPort& partial_read, hw::VectorPartialPort& partial_write) {
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=axis port=from
#pragma HLS interface mode=axis port=to
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_vld port=report
#pragma HLS array_partition variable=report type=complete
#pragma HLS interface mode=axis port=marks
#pragma HLS interface mode=ap_memory port=read0 storage_type=ram_1p latency=10
#pragma HLS array_partition variable=read0 type=complete dim=1
#pragma HLS array_partition variable=read0 type=complete dim=2
#pragma HLS interface mode=ap_memory port=read1 storage_type=ram_1p latency=10
#pragma HLS array_partition variable=read1 type=complete dim=1
#pragma HLS array_partition variable=read1 type=complete dim=2
#pragma HLS interface mode=ap_memory port=read2 storage_type=ram_1p latency=10
#pragma HLS array_partition variable=read2 type=complete dim=1
#pragma HLS array_partition variable=read2 type=complete dim=2
#pragma HLS interface mode=ap_memory port=result storage_type=ram_1p latency=10
#pragma HLS array_partition variable=result type=complete dim=1
#pragma HLS array_partition variable=result type=complete dim=2
#pragma HLS interface mode=ap_memory port=parameters storage_type=ram_1p latency=2
#pragma HLS array_partition variable=parameters type=complete dim=1
#pragma HLS interface mode=ap_memory port=partial_read storage_type=ram_1p latency=2
#pragma HLS array_partition variable=partial_read type=complete dim=1
#pragma HLS interface mode=ap_memory port=partial_write storage_type=ram_1p latency=2
#pragma HLS array_partition variable=partial_write type=complete dim=1
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::StopSignal stop_wire = stop;
  hw::VectorEngine(packets, from, to, stop_wire, report, marks, read0, read1, read2, result, parameters, partial_read, partial_write);
}

void xrun_save(hw::PacketStream& packets, hw::TokenStream (&from)[xrun::kEngines], hw::TokenStream (&to)[xrun::kEngines], volatile bool* stop, hw::EngineReport& report, hw::TokenStream& marks, hls::stream<hw::DramRun>& dram_tell, hls::stream<hw::DramWrite>& dram_put, hls::stream<uint8_t>& dram_done, hw::ActivationPort& source) {
#pragma HLS interface mode=axis port=packets
#pragma HLS interface mode=axis port=from
#pragma HLS interface mode=axis port=to
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_vld port=report
#pragma HLS array_partition variable=report type=complete
#pragma HLS interface mode=axis port=marks
#pragma HLS interface mode=axis port=dram_tell
#pragma HLS interface mode=axis port=dram_put
#pragma HLS interface mode=axis port=dram_done
#pragma HLS interface mode=ap_memory port=source storage_type=ram_1p latency=10
#pragma HLS array_partition variable=source type=complete dim=1
#pragma HLS array_partition variable=source type=complete dim=2
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::StopSignal stop_wire = stop;
  hw::DramWritePort dram_port = {dram_tell, dram_put, dram_done};
  hw::SaveEngine(packets, from, to, stop_wire, report, marks, dram_port, source);
}

void xrun_ring(hw::RowStream& acquire, hw::TokenStream& granted, hw::RowStream& release, volatile uint32_t* acquired, volatile bool* stop, volatile bool* finished) {
#pragma HLS interface mode=axis port=acquire
#pragma HLS interface mode=axis port=granted
#pragma HLS interface mode=axis port=release
#pragma HLS interface mode=ap_vld port=acquired
#pragma HLS interface mode=ap_none port=stop
#pragma HLS interface mode=ap_none port=finished
#pragma HLS interface mode=ap_ctrl_hs port=return
  hw::RowCount acquired_wire = acquired;
  hw::StopSignal stop_wire = stop;
  hw::StopSignal finished_wire = finished;
  hw::RingEngine(acquire, granted, release, acquired_wire, stop_wire, finished_wire);
}

}  // extern "C"
